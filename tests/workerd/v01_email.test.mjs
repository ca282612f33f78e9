// auth.md v0.1: registering in a person's name, the mail that goes out, and the order of refusals.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange, registerKey } from "./support/agent.mjs";
import { ok } from "./support/answers.mjs";
import { claimed, introspect, me, operate } from "./support/consent.mjs";
import { Browser, codeOn, mails } from "./support/person.mjs";
import { address, deploy } from "./support/postern.mjs";
import { byEmail, challenge, claim, finish, links, mailed, shown, wrong } from "./support/v01.mjs";

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "5" } })));
after(() => postern.stop());

function refused({ status, body, text, headers }, wanted, error, about) {
  assert.deepEqual([status, body?.error], [wanted, error], `${about ?? ""} ${text}`);
  assert.equal(headers.get("cache-control"), "no-store");
}

describe("registering in a person's name", () => {
  test("sends one mail with a link, and gives no credential (a.3)", async () => {
    const { status, body, text } = await byEmail(postern, " Named@Example.com ");
    assert.equal(status, 200, text);
    assert.deepEqual(Object.keys(body).sort(), ["claim_token", "claim_token_expires", "claim_url", "post_claim_scopes", "registration_id", "registration_type"]);
    assert.deepEqual([body.registration_type, body.claim_url, body.post_claim_scopes], ["email-verification", `${postern.issuer}/agent/auth/claim`, ["api.read", "api.write"]]);
    const [mail, ...more] = await mails(postern, "named@example.com");
    assert.equal(more.length, 0);
    assert.equal(mail.links.length, 1);
    assert.ok(!mail.text.includes(body.claim_token) && !/(?<![\w-])\d{6}(?![\w-])/.test(mail.text), "neither the agent's secret nor a code");
    assert.equal(text.includes("cvt_"), false, "the link is for the person alone");
    refused(await finish(postern, body.claim_token, "123456"), 400, "otp_not_generated");
  });

  test("brings an API key when the person has read out the code (a.4.4)", async () => {
    const { body } = await byEmail(postern, "by-key@example.com");
    const [link] = await links(postern, "by-key@example.com");
    const person = await new Browser(postern).open(`/claim?claim_attempt_token=${link}`);
    await person.submit("/claim/code");
    const done = await finish(postern, body.claim_token, codeOn(person.html));
    assert.deepEqual([done.status, done.body.status, done.body.credential_type, done.body.credential_expires], [200, "claimed", "api_key", null]);
    assert.deepEqual(done.body.scopes, ["api.read", "api.write"]);
    const { body: who } = await me(postern, done.body.credential);
    assert.deepEqual([who.registration_id, who.status], [body.registration_id, "claimed"]);
  });

  test("brings an access token where one was asked for, and no refresh token (a.4.4)", async () => {
    const { body } = await byEmail(postern, "by-token@example.com", "access_token");
    const [link] = await links(postern, "by-token@example.com");
    const { challenge: otp } = (await challenge(postern, link)).body;
    const done = await finish(postern, body.claim_token, otp);
    assert.deepEqual([done.status, done.body.credential_type], [200, "access_token"]);
    assert.equal(await call(postern.issuer, done.body.credential), 200);
    const { exp } = claims(done.body.credential);
    assert.ok(Math.abs(Date.parse(done.body.credential_expires) - exp * 1000) <= 1000);
    assert.equal((await introspect(postern, done.body.credential)).scope, "api.read api.write");
    assert.ok(!done.text.includes("art_"));
    assert.equal((await finish(postern, body.claim_token, otp)).text, done.text, "a repeat is byte-identical");
  });

  test("asks for a known credential type and a usable address, and sends nothing otherwise (a.9)", async () => {
    for (const type of ["x", "", undefined, "API_KEY"]) refused(await byEmail(postern, "no-type@example.com", type ?? null), 400, "invalid_request", type);
    for (const email of ["x", "", 7, "a@example.com\nBcc: no-type@example.com", "+31612345678"]) refused(await byEmail(postern, email), 400, "invalid_login_hint", email);
    assert.deepEqual(await mails(postern, "no-type@example.com"), []);
    const off = await deploy({ vars: { IDENTITY_TYPES: "anonymous" }, persist: false });
    try {
      refused(await byEmail(off, "off@example.com"), 400, "service_auth_not_enabled");
    } finally {
      await off.stop();
    }
  });

  test("answers alike whether the address is somebody's or not (76)", async () => {
    await claimed(postern, "known@example.com");
    const look = async (email) => {
      const { status, body, headers } = await byEmail(postern, email);
      return [status, Object.keys(body), [...headers.keys()], body.registration_type, JSON.stringify(body).length];
    };
    assert.deepEqual(await look("known@example.com"), await look("never@example.com"));
  });
});

describe("the attempt of one address", () => {
  test("is echoed without a second mail while the link is open, in any case of letters (C10, a.4.1)", async () => {
    const { agent, token, started, link } = await mailed(postern, "echo@example.com");
    for (const email of ["echo@example.com", "Echo@Example.com", " echo@example.com", "ECHO@EXAMPLE.COM", ...Array(6).fill("echo@example.com")]) {
      const { status, body, text } = await claim(postern, token, email);
      assert.equal(status, 200, text);
      assert.deepEqual(body, started);
    }
    assert.equal((await mails(postern, "echo@example.com")).length, 1);
    assert.notEqual(started.claim_attempt_id.slice(4), agent.registration_id.slice(4));
    assert.equal((await challenge(postern, link)).status, 200, "and the link is still good");
  });

  test("is a new one for another address, and the link before is dead (a.4.1)", async () => {
    const { agent, token, started, link } = await mailed(postern, "changed@example.com");
    const { body } = await claim(postern, token, "changed-to@example.com");
    assert.notEqual(body.claim_attempt_id, started.claim_attempt_id);
    assert.equal(body.registration_id, agent.registration_id);
    refused(await challenge(postern, link), 410, "claim_superseded");
    assert.equal((await new Browser(postern).open(`/claim?claim_attempt_token=${link}`)).status, 404);
    const [newest] = await links(postern, "changed-to@example.com");
    assert.equal((await challenge(postern, newest)).status, 200);
  });

  test("of a registration in a person's name may be asked for again, and for nobody else (edge 72)", async () => {
    const { body } = await byEmail(postern, "fixed@example.com");
    const again = await claim(postern, body.claim_token, "FIXED@example.com");
    assert.equal(again.status, 200, again.text);
    refused(await claim(postern, body.claim_token, "other@example.com"), 409, "claimed_or_in_flight");
    assert.deepEqual([(await mails(postern, "fixed@example.com")).length, (await mails(postern, "other@example.com")).length], [1, 0]);
    const [link] = await links(postern, "fixed@example.com");
    assert.equal((await challenge(postern, link)).status, 200);
  });

  test("costs its address no more mail than is allowed, however the attempts take turns (edge 60)", async () => {
    const victim = "flooded@example.com";
    for (let agent = 0; agent < 3; agent += 1) {
      const { claim_token } = await registerKey(postern);
      for (let turn = 0; turn < 4; turn += 1) {
        await claim(postern, claim_token, victim);
        await claim(postern, claim_token, `accomplice-${agent}-${turn}@example.com`);
      }
    }
    const got = (await mails(postern, victim)).length;
    assert.ok(got <= 5, `${got} mails within an hour, where MAILS_PER_ADDRESS_PER_HOUR is 5`);
  });
});

describe("the code behind the link", () => {
  test("dies when the next one is shown (edge 64)", async () => {
    const { token, link, otp } = await shown(postern, "second-code@example.com");
    let next;
    do next = (await challenge(postern, link)).body.challenge;
    while (next === otp);
    refused(await finish(postern, token, otp), 401, "otp_invalid");
    assert.equal((await finish(postern, token, next)).status, 200);
  });

  test("is not shown for the agent's own token, or for one that nobody was given (edge 65)", async () => {
    const { token, link } = await mailed(postern, "own-token@example.com");
    for (const other of [token, `cvt${token.slice(3)}`, link.slice(0, -1), "x", ""]) refused(await challenge(postern, other), 410, "claim_superseded", other);
    for (const other of [undefined, null, 7, [link]]) refused(await challenge(postern, other), 400, "invalid_request");
    refused(await finish(postern, token, "123456"), 400, "otp_not_generated");
  });

  test("is otp_not_generated before anybody has pressed the button, also without any attempt (edge 70)", async () => {
    const { token } = await mailed(postern, "unpressed@example.com");
    refused(await finish(postern, token, "123456"), 400, "otp_not_generated");
    const { claim_token } = await registerKey(postern);
    refused(await finish(postern, claim_token, "123456"), 400, "otp_not_generated");
  });

  test("completes once: copies of the request get the same key, and nothing is made twice (edge 69)", async () => {
    const { agent, token, otp } = await shown(postern, "once@example.com");
    const all = await Promise.all([finish(postern, token, otp), finish(postern, token, otp), finish(postern, token, otp)]);
    assert.equal(new Set(all.map(({ text }) => text)).size, 1, all.map(({ text }) => text).join("\n"));
    assert.equal(all[0].status, 200);
    refused(await finish(postern, token, wrong(otp)), 409, "previously_claimed");
    assert.equal((await me(postern, all[0].body.credential)).body.registration_id, agent.registration_id);
  });

  test("is refused in order: malformed, unknown, claimed, revoked, no code, wrong code (a.4.4)", async () => {
    const { agent, token, otp } = await shown(postern, "order@example.com");
    refused(await finish(postern, "clm_x", 7), 400, "invalid_request", "malformed before unknown");
    refused(await finish(postern, "clm_x", wrong(otp)), 401, "invalid_claim_token", "unknown before wrong");
    refused(await finish(postern, token, wrong(otp)), 401, "otp_invalid");
    const done = await finish(postern, token, otp);
    assert.equal(done.status, 200);
    refused(await finish(postern, token, wrong(otp)), 409, "previously_claimed", "claimed before wrong");
    await operate(postern, "registrations/revoke", { registration_id: agent.registration_id });
    refused(await finish(postern, token, wrong(otp)), 409, "previously_claimed", "claimed before revoked");
    refused(await claim(postern, token, "order@example.com"), 409, "claimed_or_in_flight", "claimed before revoked");
    const other = await shown(postern, "order@example.com");
    await operate(postern, "registrations/revoke", { registration_id: other.agent.registration_id });
    refused(await finish(postern, other.token, wrong(other.otp)), 410, "claim_expired", "revoked before wrong");
    refused(await finish(postern, other.token, other.otp), 410, "claim_expired");
    refused(await claim(postern, other.token, "order@example.com"), 410, "claim_expired");
  });

  test("is denied for good when the person says no", async () => {
    const { token, link, otp } = await shown(postern, "denied@example.com");
    const person = await new Browser(postern).open(`/claim?claim_attempt_token=${link}`);
    await person.submit("/claim/deny");
    refused(await finish(postern, token, otp), 403, "claim_denied");
    refused(await challenge(postern, link), 403, "claim_denied");
    assert.equal((await claim(postern, token, "denied@example.com")).status, 200, "a new attempt may be made");
  });
});

test("a newer agent's identity and an older agent's key stand side by side in one account", async () => {
  const { given, person } = await claimed(postern, "both@example.com");
  const { token, otp, agent } = await shown(postern, "both@example.com");
  const { credential } = await ok(postern.json("/agent/auth/claim/complete", { claim_token: token, user_code: otp }, { "cf-connecting-ip": address() }));
  await exchange(postern, given.identity_assertion);
  assert.equal(await call(postern.issuer, credential), 200);
  await person.open("/account");
  for (const id of [given.registration_id, agent.registration_id]) assert.ok(person.html.includes(id), id);
});
