// The claim of auth.md v0.1: key, mailed link, code, new key; in its own words and at its own paths.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, keyToken, registerKey, register } from "./support/agent.mjs";
import { basic, ok, read } from "./support/answers.mjs";
import { introspect, me, reading, signedIn } from "./support/consent.mjs";
import { complete, poll, start } from "./support/claim.mjs";
import { Browser, codeOn, mails } from "./support/person.mjs";
import { address, deploy } from "./support/postern.mjs";
import { challenge, claim, finish, links, mailed, shown, wrong } from "./support/v01.mjs";

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

/** A refusal in the words of v0.1. */
function refused({ status, headers, body, text }, wanted, error, about) {
  assert.deepEqual([status, body?.error], [wanted, error], `${about ?? ""} ${text}`);
  assert.ok(body.message.length > 0);
  assert.equal(headers.get("cache-control"), "no-store");
}

test("register, claim, challenge, complete with the otp: an agent of v0.1 gets a new key (74)", async () => {
  const agent = await registerKey(postern);
  assert.deepEqual([agent.registration_type, agent.credential_type, agent.scopes, agent.post_claim_scopes], ["anonymous", "api_key", ["api.read"], ["api.read", "api.write"]]);
  assert.equal(agent.claim_url, `${postern.issuer}/agent/auth/claim`);
  assert.ok(Date.parse(agent.claim_token_expires) > Date.now());
  const started = await claim(postern, agent.claim_token, "first@example.com");
  assert.deepEqual(Object.keys(started.body).sort(), ["claim_attempt_id", "expires_at", "registration_id", "status"]);
  assert.deepEqual([started.status, started.body.status, started.body.registration_id], [200, "initiated", agent.registration_id]);
  assert.match(started.body.claim_attempt_id, /^cla_/);
  const window = Date.parse(started.body.expires_at) - Date.now();
  assert.ok(window > 590_000 && window <= 600_000);
  refused(await finish(postern, agent.claim_token, "123456"), 400, "otp_not_generated");
  const [link] = await links(postern, "first@example.com");
  const { status, body } = await challenge(postern, link);
  assert.deepEqual([status, body.type, Object.keys(body).sort()], [200, "otp", ["challenge", "expires_at", "type"]]);
  refused(await finish(postern, agent.claim_token, wrong(body.challenge)), 401, "otp_invalid");
  const done = await finish(postern, agent.claim_token, body.challenge);
  assert.equal(done.status, 200, done.text);
  assert.deepEqual([done.body.registration_id, done.body.status, done.body.credential_type, done.body.credential_expires], [agent.registration_id, "claimed", "api_key", null]);
  assert.equal(done.headers.get("cache-control"), "no-store");
  assert.deepEqual(done.body.scopes, ["api.read", "api.write"]);
  for (const newer of ["identity", "identity_assertion", "id", "access_token"]) assert.equal(done.body[newer], undefined);
  assert.equal((await keyToken(postern, done.body.credential)).scope, "api.read api.write");
  assert.equal((await claim(postern, agent.claim_token, "first@example.com")).body.error, "claimed_or_in_flight");
  refused(await challenge(postern, link), 409, "claim_completed");
});

test("after the claim the old key has the old scopes for ten minutes at most, and the new one works (75)", async () => {
  const { agent, token, otp } = await shown(postern, "old-key@example.com");
  const early = await keyToken(postern, agent.credential);
  assert.equal((await me(postern, agent.credential)).body.status, "unclaimed");
  const { body } = await finish(postern, token, otp);
  const [old, fresh] = [await me(postern, agent.credential), await me(postern, body.credential)];
  assert.deepEqual([old.status, old.body.scopes, old.body.claimed, old.body.credential_type], [200, ["api.read"], true, "api_key"]);
  assert.deepEqual([fresh.status, fresh.body.scopes, fresh.body.expires_at], [200, ["api.read", "api.write"], null]);
  const left = Date.parse(old.body.expires_at) - Date.now();
  assert.ok(left > 500_000 && left <= 600_000, `${left} ms`);
  const [known, newer] = [await introspect(postern, agent.credential), await introspect(postern, body.credential)];
  assert.deepEqual([known.active, known.scope, newer.scope, newer.exp], [true, "api.read", "api.read api.write", undefined]);
  assert.ok(known.exp * 1000 - Date.now() <= 601_000);
  assert.equal(await call(postern.issuer, early.access_token), 401, "a token that the old key brought before is over");
  const late = await keyToken(postern, agent.credential);
  assert.equal(late.scope, "api.read");
  assert.ok(late.expires_in <= 600);
  assert.equal((await introspect(postern, late.access_token)).scope, "api.read");
  const more = await read(postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: agent.credential, scope: "api.write" }));
  assert.equal(more.body.error, "invalid_scope");
  await read(postern.form("/oauth2/revoke", { token: agent.credential }, basic("", agent.credential)));
  assert.deepEqual([await call(postern.issuer, agent.credential), await call(postern.issuer, late.access_token), await call(postern.issuer, body.credential)], [401, 401, 200]);
});

test("an address that is somebody's gives an agent no access to their account, and tells it nothing (76)", async () => {
  const victim = await reading(postern, "victim@example.com");
  const identity = (await complete(postern, victim.token, victim.code)).body.identity;
  const before = await mails(postern, "victim@example.com");
  const ask = async (email) => {
    const { status, body, headers } = await read(postern.json("/api/agent/auth", { type: "anonymous", requested_credential_type: "api_key", email }, { "cf-connecting-ip": address() }));
    const shape = JSON.stringify(body, (name, value) => (["registration_id", "credential", "claim_token", "credential_expires", "claim_token_expires"].includes(name) ? typeof value : value));
    return { status, shape, length: JSON.stringify(body).length, names: [...headers.keys()].sort().join(), body };
  };
  const [known, unknown] = [await ask("victim@example.com"), await ask("nobody@example.com")];
  assert.deepEqual({ ...known, body: 0 }, { ...unknown, body: 0 });
  assert.deepEqual([known.status, known.body.scopes], [200, ["api.read"]]);
  const { body: who } = await me(postern, known.body.credential);
  assert.deepEqual([who.claimed, who.scopes, who.registration_id], [false, ["api.read"], known.body.registration_id]);
  assert.deepEqual(await mails(postern, "victim@example.com"), before, "no mail");
  await victim.person.open("/account");
  assert.ok(victim.person.html.includes(victim.id) && !victim.person.html.includes(known.body.registration_id));
  const newcomer = await signedIn(postern, "nobody@example.com");
  await newcomer.open("/account");
  assert.ok(!newcomer.html.includes(unknown.body.registration_id), "whoever has the address is not given the agent either");
  assert.ok(identity.assertion);
});

test("a machine that opens the mailed link mints nothing, whatever it sends but the button (77)", async () => {
  const { token, link } = await mailed(postern, "scanned@example.com");
  const page = `/claim?claim_attempt_token=${link}`;
  for (const method of ["GET", "HEAD", "OPTIONS", "GET"]) await (await fetch(postern.issuer + page, { method, redirect: "manual" })).arrayBuffer();
  for (const path of ["/agent/auth/claim/attempt/challenge", "/claim/code"]) {
    for (const query of [`?claim_attempt_token=${link}`, ""]) assert.equal((await read(postern.get(path + query))).status, 405);
  }
  const scanner = await new Browser(postern).open(page);
  assert.equal(scanner.status, 200);
  assert.equal(codeOn(scanner.html), undefined);
  assert.doesNotMatch(scanner.html.replace(/<(style|script)\b.*?<\/\1>/gs, ""), /(?<![\w-])\d{3} ?\d{3}(?![\w-])/);
  for (const origin of ["https://evil.example", `${postern.issuer}.evil.example`]) assert.equal((await challenge(postern, link, { origin })).status, 403);
  for (const site of ["cross-site", "same-site"]) assert.equal((await challenge(postern, link, { "sec-fetch-site": site })).status, 403);
  assert.equal((await read(postern.form("/claim/code", { claim_attempt_token: link }))).status, 403, "a form without our token");
  refused(await finish(postern, token, "123456"), 400, "otp_not_generated");
  assert.equal((await challenge(postern, link)).status, 200);
});

describe("a claim token", () => {
  test("of v0.1 is unknown at the newer paths, and theirs at the older, in each one's words (78)", async () => {
    const { token, otp } = await shown(postern, "crossing@example.com");
    const newer = await reading(postern, "crossing@example.com");
    refused(await start(postern, { type: "login_hint", claim_token: token, login_hint: "crossing@example.com" }), 401, "invalid_claim_token");
    refused(await start(postern, { type: "service_auth", claim_token: token, login_hint: "crossing@example.com" }), 401, "invalid_claim_token");
    refused(await complete(postern, token, otp), 400, "invalid_claim");
    assert.deepEqual([(await poll(postern, token)).status, (await poll(postern, token)).body.error], [400, "expired_token"]);
    refused(await claim(postern, newer.token, "crossing@example.com"), 401, "invalid_claim_token");
    refused(await finish(postern, newer.token, newer.code), 401, "invalid_claim_token");
    assert.equal((await finish(postern, token, otp)).status, 200);
    assert.equal((await complete(postern, newer.token, newer.code)).status, 200);
  });

  test("that nobody was given is 401, and none at all 400 (74)", async () => {
    const { claim_token } = await registerKey(postern);
    const page = (await mailed(postern, "attempt@example.com")).link;
    for (const token of ["clm_x", "", `${claim_token}0`, page]) {
      refused(await claim(postern, token, "nobody-knows@example.com"), 401, "invalid_claim_token", token);
      refused(await finish(postern, token, "123456"), 401, "invalid_claim_token", token);
    }
    for (const token of [undefined, null, 7, {}]) {
      refused(await claim(postern, token, "nobody-knows@example.com"), 400, "invalid_request");
      refused(await finish(postern, token, "123456"), 400, "invalid_request");
    }
    assert.deepEqual(await mails(postern, "nobody-knows@example.com"), [], "nobody's mail is spent on it");
    for (const email of ["", "x", 7, undefined, null, "a@b", "a@example.com\r\nBcc: b@example.com", "x".repeat(300) + "@example.com"]) refused(await claim(postern, claim_token, email), 400, "invalid_request", JSON.stringify(email));
  });
});

test("answers of the older paths have no words of the newer ones, and the reverse (78)", async () => {
  const { agent, token, otp, started } = await shown(postern, "words@example.com");
  const done = (await finish(postern, token, otp)).body;
  for (const body of [agent, started, done]) for (const name of ["id", "identity", "claim", "attempt", "claim_attempt", "identity_assertion", "assertion_expires", "verification_uri", "user_code"]) assert.equal(body[name], undefined, name);
  const newer = await register(postern);
  for (const name of ["credential", "credential_type", "credential_expires"]) assert.equal(newer[name], undefined, name);
});

test("with the dialect off every one of its paths is 404 and names the identity_endpoint (79)", async () => {
  const off = await deploy({ vars: { AUTH_MD_DIALECTS: "0.7 authkit" }, persist: false });
  try {
    for (const path of ["/agent/auth", "/api/agent/auth", "/agent/auth/claim", "/agent/auth/claim/attempt/challenge", "/agent/auth/claim/complete", "/agent/auth/revoke"]) {
      const type = path.endsWith("revoke") ? { "content-type": "application/logout+jwt" } : {};
      const { status, body, text, headers } = await read(off.json(path, { type: "anonymous", requested_credential_type: "api_key", claim_token: "clm_x", otp: "123456" }, type));
      assert.deepEqual([status, body?.error], [404, "not_found"], `${path} ${text}`);
      assert.match(headers.get("content-type"), /^application\/json/);
      assert.match(text, /identity_endpoint/, path);
    }
    const metadata = await ok(off.get("/.well-known/oauth-authorization-server"));
    for (const name of ["register_uri", "claim_uri", "revocation_uri", "anonymous"]) assert.equal(metadata.agent_auth[name], undefined, name);
    assert.equal((await read(off.json("/agent/identity", { type: "anonymous" }))).status, 200);
  } finally {
    await off.stop();
  }
});
