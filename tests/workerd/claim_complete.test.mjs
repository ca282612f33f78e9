// Completing a claim with the code that the person reads out: what is refused, what is delivered, and what that ends.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange, register } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { asking, claimed, introspect, reading, refresh, signedIn, trade, typing } from "./support/consent.mjs";
import { complete, page, poll, start } from "./support/claim.mjs";
import { altered, ownKey } from "./support/forge.mjs";
import { codeOn } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

const PATH = "/agent/identity/claim/complete";
const wrong = (code, by = 1) => String((Number(code) + by) % 1_000_000).padStart(6, "0");

/** A refusal of the agent's surface: no store keeps it, and both names for its words are there. */
function refused({ status, headers, body, text }, wanted, error, about) {
  assert.deepEqual([status, body?.error], [wanted, error], `${about ?? ""} ${text}`);
  assert.equal(headers.get("cache-control"), "no-store");
  assert.equal(body.message, body.error_description);
}

test("anonymous, upgraded: not confirmed, wrong code, right code, and the identity gets in (43)", async () => {
  const agent = await register(postern);
  const early = await exchange(postern, agent.identity_assertion);
  assert.equal(early.scope, "api.read");
  const upgraded = await start(postern, { type: "service_auth", claim_token: agent.claim_token, login_hint: "upgrade@example.com" });
  assert.deepEqual([upgraded.status, upgraded.body.type, upgraded.body.id], [200, "service_auth", agent.registration_id]);
  refused(await complete(postern, agent.claim_token, "123456"), 409, "claim_not_confirmed");
  const person = await signedIn(postern, "upgrade@example.com");
  await person.open(page(upgraded.body.attempt.verification_uri));
  refused(await complete(postern, agent.claim_token, "123456"), 409, "claim_not_confirmed", "looking at the page confirms nothing");
  await person.submit("/claim/code");
  const code = codeOn(person.html);
  refused(await complete(postern, agent.claim_token, wrong(code)), 401, "invalid_user_code");
  assert.equal(await call(postern.issuer, early.access_token), 200, "nothing has changed so far");
  const done = await complete(postern, agent.claim_token, code);
  assert.deepEqual([done.status, done.body.status, done.body.id], [200, "claimed", agent.registration_id]);
  assert.equal(done.headers.get("cache-control"), "no-store");
  assert.equal(done.body.access_token, undefined, "an identity, and no access token");
  assert.ok(Date.parse(done.body.identity.expires_at) > Date.now());
  const { access_token, scope } = await exchange(postern, done.body.identity.assertion);
  assert.equal(scope, "api.read api.write");
  assert.equal(await call(postern.issuer, access_token), 200);
});

test("asked for by address: the same run, and nothing works before the code is read out (44)", async () => {
  const asked = await asking(postern, "by-address@example.com");
  assert.deepEqual([asked.agent.identity, asked.agent.identity_assertion], [undefined, undefined]);
  refused(await complete(postern, asked.token, "000000"), 409, "claim_not_confirmed");
  await asked.person.submit("/claim/code");
  const code = codeOn(asked.person.html);
  refused(await complete(postern, asked.token, wrong(code)), 401, "invalid_user_code");
  const { body } = await complete(postern, asked.token, code);
  assert.equal((await exchange(postern, body.identity.assertion)).scope, "api.read api.write");
});

describe("the code that the agent shows", () => {
  test("is never taken for the one that it must be told, neither before nor after the person confirms (45)", async () => {
    const unconfirmed = await asking(postern, "mixed@example.com");
    refused(await complete(postern, unconfirmed.token, unconfirmed.user_code), 409, "claim_not_confirmed");
    let shown;
    do shown = await reading(postern, "mixed@example.com", unconfirmed.person);
    while (shown.code === shown.user_code);
    for (let time = 0; time < 2; time += 1) refused(await complete(postern, shown.token, shown.user_code), 401, "invalid_user_code");
    for (let time = 0; time < 2; time += 1) await complete(postern, shown.token, wrong(shown.code));
    refused(await complete(postern, shown.token, shown.user_code), 401, "invalid_user_code", "each one is a try");
    refused(await complete(postern, shown.token, shown.code), 410, "user_code_expired");

    const typed = await typing(postern, "mixed@example.com", shown.person);
    refused(await complete(postern, typed.token, typed.user_code), 409, "claim_not_confirmed");
    await typed.person.submit(PATH, { user_code: typed.user_code });
    refused(await complete(postern, typed.token, typed.user_code), 409, "already_claimed", "the person typed it: the agent polls");
    assert.equal((await poll(postern, typed.token)).status, 200);
    refused(await complete(postern, typed.token, typed.user_code), 409, "already_claimed");
  });

  test("does not help the person who has asked for a code of their own (45)", async () => {
    const { person, user_code, token, code } = await reading(postern, "mixed-form@example.com");
    await person.post(PATH, { claim_attempt_token: /claim_attempt_token" value="([^"]+)/.exec(person.html)[1], csrf: /csrf" value="([^"]+)/.exec(person.html)[1], user_code });
    assert.equal(person.status, 409, person.html);
    assert.equal((await poll(postern, token)).body.error, "authorization_pending");
    assert.equal((await complete(postern, token, code)).status, 200);
  });
});

describe("a completion that is repeated", () => {
  test("brings the same bytes until the identity is used, then already_claimed (46)", async () => {
    const { token, code } = await reading(postern, "repeat@example.com");
    const [one, two] = await Promise.all([complete(postern, token, code), complete(postern, token, code)]);
    const three = await complete(postern, token, code);
    assert.deepEqual([one.status, two.status, three.status], [200, 200, 200]);
    assert.deepEqual([two.text, three.text], [one.text, one.text]);
    refused(await complete(postern, token, wrong(code)), 409, "already_claimed", "without the code nothing is repeated");
    assert.equal((await complete(postern, token, code)).text, one.text);
    await exchange(postern, one.body.identity.assertion);
    refused(await complete(postern, token, code), 409, "already_claimed");
    assert.equal((await poll(postern, token)).body.error, "expired_token", "one delivery over both ways");
    assert.equal((await start(postern, { type: "service_auth", claim_token: token, login_hint: "repeat@example.com" })).body.error, "already_claimed");
  });

  test("is not delivered again by polling: one delivery over both ways (46)", async () => {
    const { token, code } = await reading(postern, "both-ways@example.com");
    assert.equal((await complete(postern, token, code)).status, 200);
    assert.equal((await poll(postern, token)).body.error, "expired_token");
  });
});

test("what is not a string of six ASCII digits is invalid_request and costs no try (47)", async () => {
  const { token, code } = await reading(postern, "six-digits@example.com");
  const odd = [Number(code), "12345", "1234567", "１２３４５６", "٠١٢٣٤٥", "12345a", "-12345", "1e5", "0x1234", "", null, [code], { code }, true, undefined, "123\n456", `${code}\u0000`];
  for (const user_code of odd) refused(await read(postern.json(PATH, { claim_token: token, user_code })), 400, "invalid_request", JSON.stringify(user_code));
  for (let tries = 0; tries < 4; tries += 1) refused(await complete(postern, token, wrong(code)), 401, "invalid_user_code");
  assert.equal((await complete(postern, token, code)).status, 200, "four tries were wrong, and the fifth is right");
});

test("a claim token that nobody was given is invalid_claim, and none at all invalid_request (48)", async () => {
  const { token, code } = await reading(postern, "unknown@example.com");
  const other = await register(postern);
  const flipped = [...token].map((char, at) => (at === 12 ? (char === "a" ? "b" : "a") : char)).join("");
  for (const claim_token of ["clm_x", "", "x", flipped, `${token}0`, token.toUpperCase(), other.identity_assertion]) refused(await complete(postern, claim_token, code), 400, "invalid_claim", claim_token);
  for (const claim_token of [undefined, null, 7, [token], { token }]) refused(await complete(postern, claim_token, code), 400, "invalid_request", JSON.stringify(claim_token));
  refused(await complete(postern, other.claim_token, code), 410, "claim_expired", "another's token has no attempt, whatever the code");
  refused(await read(postern.json(PATH, { claim_token: token, user_code: code, claim_attempt_token: "cvt_x" })), 400, "invalid_request", "both sides at once");
  assert.equal((await complete(postern, token, code)).status, 200);
});

test("a completion and a poll bring a refresh token, a registration alone does not (49)", async () => {
  const { token, code, agent } = await reading(postern, "with-refresh@example.com");
  const done = (await complete(postern, token, code)).body;
  const polled = await claimed(postern, "with-refresh-2@example.com");
  for (const { identity } of [done, polled.given]) {
    assert.match(identity.refresh_token.value, /^art_/);
    const days = (Date.parse(identity.refresh_token.expires_at) - Date.now()) / 86_400_000;
    assert.ok(days > 29.9 && days < 30.1, `${days} days`);
    assert.equal((await refresh(postern, identity.refresh_token.value)).status, 200);
  }
  assert.ok(!JSON.stringify([agent, polled.agent]).includes("art_"));
});

test("after the claim a token from before is 401 and an assertion from before invalid_grant, whoever asks (50)", async () => {
  const agent = await register(postern);
  const early = await Promise.all([exchange(postern, agent.identity_assertion), exchange(postern, agent.identity_assertion)]);
  const { body } = await start(postern, { type: "service_auth", claim_token: agent.claim_token, login_hint: "before@example.com" });
  const person = await signedIn(postern, "before@example.com");
  await person.open(page(body.attempt.verification_uri));
  await person.submit("/claim/code");
  const done = await complete(postern, agent.claim_token, codeOn(person.html));
  for (const { access_token } of early) {
    assert.equal(await call(postern.issuer, access_token), 401);
    assert.deepEqual(await introspect(postern, access_token), { active: false });
  }
  assert.equal((await trade(postern, agent.identity_assertion)).body.error, "invalid_grant");
  assert.notEqual(claims(done.body.identity.assertion).jti, claims(agent.identity_assertion).jti);
  assert.equal((await trade(postern, done.body.identity.assertion)).status, 200);
});

test("an assertion for a registration that waits for its person is invalid_grant, even if our own key signed it (69)", async () => {
  const { agent, token, id, person } = await asking(postern, "waiting@example.com");
  const template = (await register(postern)).identity_assertion;
  const { seal } = await ownKey(postern);
  const forged = (more = {}) => altered(template, { claims: { sub: id, jti: "AAAAAAAAAAAAAAAAAAAAAA", ...more } }, seal);
  assert.equal((await trade(postern, altered(template, { claims: { jti: "AAAAAAAAAAAAAAAAAAAAAA" } }, seal))).status, 200, "the seal is genuine");
  for (const claimed of [{}, { generation: 1 }, { email: "waiting@example.com", email_verified: true }]) assert.equal((await trade(postern, forged(claimed))).body.error, "invalid_grant");
  assert.equal((await poll(postern, token)).body.error, "authorization_pending");
  await person.submit("/claim/code");
  assert.equal((await trade(postern, forged())).body.error, "invalid_grant", "shown is not yet claimed");
  assert.equal((await complete(postern, token, codeOn(person.html))).status, 200);
  assert.equal((await trade(postern, forged())).body.error, "invalid_grant", "nor does it work after the claim");
  assert.equal(agent.id, id);
});

test("a hint or none at all makes no difference to a revocation, of the new tokens too (70)", async () => {
  for (const [number, token_type_hint] of ["refresh_token", "access_token", "\u2603", "", undefined].entries()) {
    const { given } = await claimed(postern, `hint-${number}@example.com`);
    for (const token of ["x", given.access_token, given.access_token, given.identity.assertion]) {
      const got = await read(postern.form("/oauth2/revoke", token_type_hint === undefined ? { token } : { token, token_type_hint }));
      assert.deepEqual([got.status, got.text], [200, ""], token_type_hint);
    }
    assert.equal(await call(postern.issuer, given.access_token), 401);
    assert.equal((await trade(postern, given.identity.assertion)).body.error, "invalid_grant");
    assert.equal((await refresh(postern, given.identity.refresh_token.value)).body.error, "invalid_refresh_token");
  }
});

test("the shared path tells a browser's form from an agent's JSON, and takes no mixture (45)", async () => {
  const { token, code } = await reading(postern, "shared-path@example.com");
  const form = await read(postern.form(PATH, { claim_token: token, user_code: code }));
  assert.ok(form.status >= 400 && form.status < 500, `${form.status}`);
  const json = await read(postern.json(PATH, { claim_token: token, user_code: code }, { cookie: "postern_session=pss_x" }));
  assert.equal(json.status, 200, "cookies are not looked at");
  assert.ok(await ok(Promise.resolve(new Response(json.text))));
});
