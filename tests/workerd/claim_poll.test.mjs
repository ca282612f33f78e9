// The claim grant: the agent polls, and gets what its person has given it, once.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange, register, sleep } from "./support/agent.mjs";
import { read, refused } from "./support/answers.mjs";
import { again, asking, atPage, claimed, onBehalf, operator, reveal, someone, type, typed, wrong } from "./support/ceremony.mjs";
import { CLAIM, complete, poll } from "./support/claim.mjs";
import { deploy, ROUNDS } from "./support/postern.mjs";

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_HOUR: "100000" } })));
after(() => postern.stop());

const grant = (claim_token, extra = {}, headers = {}) => postern.form("/oauth2/token", { grant_type: CLAIM, claim_token, ...extra }, headers);
const hundred = (make) => Promise.all(Array.from({ length: 100 }, make));

describe("a poll", () => {
  test("is pending before any attempt, pending while one is open, and 200 after the typed code (25)", async () => {
    const { claim_token } = await register(postern);
    await refused(grant(claim_token), 400, "authorization_pending");
    const open = await asking(postern);
    await refused(grant(open.claim_token), 400, "authorization_pending");
    const { claim_token: confirmed, agent } = await typed(postern);
    const { status, headers, body, text } = await poll(postern, confirmed);
    assert.equal(status, 200, text);
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("pragma"), "no-cache");
    assert.deepEqual([body.token_type, typeof body.expires_in, body.scope], ["Bearer", "number", "api.read api.write"], "C21");
    assert.deepEqual(body.identity.assertion, body.identity_assertion);
    assert.equal(body.identity.expires_at, body.assertion_expires);
    assert.match(body.identity.refresh_token.value, /^art_/);
    assert.equal(claims(body.access_token).sub, agent.registration_id);
    assert.equal(await call(postern.issuer, body.access_token), 200);
  });

  test("that comes too soon is slow_down, and the gap that is asked for then is five seconds longer (26)", async () => {
    const { claim_token } = await asking(postern);
    const pending = () => poll(postern, claim_token);
    assert.equal((await pending()).body.error, "authorization_pending");
    const slow = await pending();
    assert.equal(slow.body.error, "slow_down");
    assert.equal(slow.status, 400);
    await sleep(5_300);
    assert.equal((await pending()).body.error, "slow_down", "the first interval is not enough any more");
    await sleep(15_300);
    assert.equal((await pending()).body.error, "authorization_pending");
  });

  test("of a hundred at once is pending once and slow_down else (26)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { claim_token } = await asking(postern);
      const errors = (await hundred(() => poll(postern, claim_token))).map(({ body }) => body.error);
      assert.deepEqual([errors.filter((error) => error === "authorization_pending").length, errors.filter((error) => error === "slow_down").length], [1, 99]);
    }
  });

  test("too soon does not keep the answer from an agent once its person has confirmed (26)", async () => {
    const ceremony = await asking(postern);
    const person = await atPage(postern, ceremony);
    for (let time = 0; time < 5; time += 1) await poll(postern, ceremony.claim_token);
    await type(person, ceremony.user_code);
    assert.equal((await poll(postern, ceremony.claim_token)).status, 200);
  });

  test("is expired_token while the code is over and the claim is not; the claim endpoint then gives a new one (27)", async () => {
    // A code is over after ten minutes too: that is tested where time can be moved.
    const first = await asking(postern);
    const person = await atPage(postern, first);
    for (let time = 0; time < 5; time += 1) await type(person, wrong(first.user_code));
    await refused(grant(first.claim_token), 400, "expired_token");
    await refused(grant(first.claim_token), 400, "expired_token");
    const second = await again(postern, first.claim_token, first.email);
    await refused(grant(first.claim_token), 400, "authorization_pending");
    await type(await person.open(second.path), second.user_code);
    assert.equal((await poll(postern, first.claim_token)).status, 200);
  });

  test("is access_denied once the person has said no, and stays so (29)", async () => {
    const ceremony = await asking(postern);
    const person = await atPage(postern, ceremony);
    await person.submit("/claim/deny");
    assert.match(person.html, /Denied/);
    for (let time = 0; time < 3; time += 1) await refused(grant(ceremony.claim_token), 400, "access_denied");
    assert.deepEqual([(await complete(postern, ceremony.claim_token, "123456")).body.error], ["claim_denied"]);
  });

  test("brings nothing if the person was suspended after confirming, and nothing if they are gone (30)", async () => {
    for (const what of ["suspend", "erase"]) {
      const { claim_token, email, agent } = await typed(postern);
      assert.equal((await operator(postern, `people/${what}`, { email })).status, 200);
      const { status, body, text } = await poll(postern, claim_token);
      // What is erased is revoked too, and revoked comes first.
      assert.deepEqual([status, body.error], [400, what === "suspend" ? "access_denied" : "expired_token"], text);
      assert.doesNotMatch(text, /eyJ|art_/);
      const old = await read(postern.form("/oauth2/token", { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: agent.identity_assertion }));
      assert.equal(old.body.error, "invalid_grant");
    }
  });
});

test("a completion brings nothing either if the person was suspended, or erased, after they saw the code (30)", async () => {
  for (const what of ["suspend", "erase"]) {
    const { claim_token, email, ...ceremony } = await onBehalf(postern);
    const code = await reveal(await atPage(postern, { email, ...ceremony }));
    assert.equal((await operator(postern, `people/${what}`, { email })).status, 200);
    const { status, body, text } = await complete(postern, claim_token, code);
    assert.deepEqual([status, body.error], [403, "claim_denied"], text);
    assert.equal((await poll(postern, claim_token)).body.error, what === "suspend" ? "access_denied" : "expired_token");
  }
});

describe("a request that is no poll", () => {
  test("by JSON, by GET, without or with a repeated claim_token is refused, and spends nothing (31)", async () => {
    const { claim_token } = await typed(postern);
    const body = { grant_type: CLAIM, claim_token };
    const form = new URLSearchParams(body).toString();
    const type = { "content-type": "application/x-www-form-urlencoded" };
    await refused(postern.json("/oauth2/token", body), 415, "unsupported_media_type", "one body, one reading (1.12 item 10)");
    await refused(postern.get(`/oauth2/token?${form}`), 405, "method_not_allowed");
    await refused(postern.form("/oauth2/token", [["grant_type", CLAIM], ["claim_token", claim_token], ["claim_token", claim_token]]), 400, "invalid_request");
    await refused(postern.form("/oauth2/token", [["grant_type", CLAIM], ["grant_type", CLAIM], ["claim_token", claim_token]]), 400, "invalid_request");
    for (const fields of [{ grant_type: CLAIM }, { grant_type: CLAIM, claim_token: "" }]) await refused(postern.form("/oauth2/token", fields), 400, "invalid_request");
    await refused(postern.form(`/oauth2/token?claim_token=${claim_token}`, { grant_type: CLAIM }), 400, "invalid_request", "the query is not read");
    await refused(postern.form("/oauth2/token", { claim_token }), 400, "invalid_request");
    for (const grant_type of [CLAIM.toUpperCase(), `${CLAIM} `, "claim", CLAIM.replace("workos", "other")]) await refused(postern.form("/oauth2/token", { grant_type, claim_token }), 400, "unsupported_grant_type", grant_type);
    await refused(fetch(`${postern.issuer}/oauth2/token`, { method: "POST", headers: type, body: JSON.stringify(body) }), 400, "invalid_request");
    assert.equal((await poll(postern, claim_token)).status, 200);
  });

  test("for a foreign resource, too much scope or with a wrong client is refused, and spends nothing (1.12 item 9)", async () => {
    const { claim_token } = await typed(postern);
    await refused(grant(claim_token, { resource: "https://other.example" }), 400, "invalid_target");
    await refused(postern.form("/oauth2/token", [["grant_type", CLAIM], ["claim_token", claim_token], ["resource", `${postern.issuer}/mcp`], ["resource", `${postern.issuer}/api/v1`]]), 400, "invalid_target");
    await refused(grant(claim_token, { scope: "api.read admin" }), 400, "invalid_scope");
    await refused(grant(claim_token, { scope: "" , client_secret: "postern_x_y" }), 401, "invalid_client");
    const { body } = await poll(postern, claim_token, { resource: `${postern.issuer}/api/v1`, scope: "api.read" });
    assert.deepEqual([claims(body.access_token).aud, body.scope], [`${postern.issuer}/api/v1`, "api.read"]);
  });

  test("with a token of the page, of another kind or another registration's key brings nothing", async () => {
    const [one, two] = [await typed(postern), await typed(postern)];
    const splice = (a, b) => a.slice(0, a.lastIndexOf("_")) + b.slice(b.lastIndexOf("_"));
    for (const token of [one.view, one.view.replace("cvt", "clm"), one.claim_token.replace("clm", "cvt"), splice(one.claim_token, two.claim_token), one.agent.identity_assertion, one.agent.registration_id]) await refused(grant(token), 400, "expired_token", token);
    for (const { claim_token, agent } of [one, two]) assert.equal((await poll(postern, claim_token)).body.registration_id, agent.registration_id);
  });
});

describe("what a claim brings", () => {
  test("is the same to the byte until the assertion is used, then nothing more (28, C5)", async () => {
    const { claim_token, got } = await claimed(postern);
    for (const extra of [{}, { scope: "api.read" }, { resource: `${postern.issuer}/api/v1` }]) assert.equal((await poll(postern, claim_token, extra)).text, got.text);
    assert.equal(await call(postern.issuer, got.body.access_token), 200);
    assert.equal((await poll(postern, claim_token)).text, got.text, "the token in it may be used before");
    await exchange(postern, got.body.identity_assertion);
    for (let time = 0; time < 3; time += 1) await refused(grant(claim_token), 400, "expired_token", "no endless source of tokens (1.12 item 3)");
    assert.equal((await complete(postern, claim_token, "123456")).body.error, "already_claimed");
    await exchange(postern, got.body.identity_assertion);
  });

  test("comes after everything from before the claim is dead: assertion and tokens (1.12 item 2, C9)", async () => {
    const ceremony = await asking(postern);
    const early = await exchange(postern, ceremony.agent.identity_assertion);
    const person = await atPage(postern, ceremony);
    assert.equal(await call(postern.issuer, early.access_token), 200);
    await type(person, ceremony.user_code);
    // Before the agent has picked anything up, and after it.
    for (const pick of [false, true]) {
      if (pick) assert.equal((await poll(postern, ceremony.claim_token)).status, 200);
      const old = await read(postern.form("/oauth2/token", { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: ceremony.agent.identity_assertion }));
      assert.equal(old.body.error, "invalid_grant");
      assert.equal(await call(postern.issuer, early.access_token), 401);
    }
  });

  test("is one thing to a hundred polls around the moment of confirmation (32)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await asking(postern);
      const person = await atPage(postern, ceremony);
      const polls = Array.from({ length: 50 }, () => poll(postern, ceremony.claim_token));
      const typing = type(person, ceremony.user_code);
      polls.push(...Array.from({ length: 50 }, () => poll(postern, ceremony.claim_token)));
      const answers = await Promise.all(polls);
      await typing;
      answers.push(...(await hundred(() => poll(postern, ceremony.claim_token))));
      const bodies = new Set(answers.filter(({ status }) => status === 200).map(({ text }) => text));
      assert.equal(bodies.size, 1, "one assertion, one body");
      assert.ok(answers.slice(100).every(({ status }) => status === 200));
      assert.ok(answers.every(({ status, body }) => status === 200 || ["authorization_pending", "slow_down"].includes(body.error)));
    }
  });

  test("is pending for polls while the code is read out, and over for them once the agent has completed (C4)", async () => {
    const ceremony = await onBehalf(postern);
    const code = await reveal(await atPage(postern, ceremony));
    await refused(grant(ceremony.claim_token), 400, "authorization_pending");
    const done = await complete(postern, ceremony.claim_token, code);
    assert.equal(done.status, 200, done.text);
    await refused(grant(ceremony.claim_token), 400, "expired_token");
    assert.equal((await complete(postern, ceremony.claim_token, code)).text, done.text);
  });

  test("is delivered on one of the two ways only, whichever is faster (C4, C5)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await onBehalf(postern, someone());
      const code = await reveal(await atPage(postern, ceremony));
      const both = Array.from({ length: 100 }, (_, index) => (index % 2 ? poll(postern, ceremony.claim_token) : complete(postern, ceremony.claim_token, code)));
      const good = (await Promise.all(both)).filter(({ status }) => status === 200);
      assert.ok(good.length > 0);
      assert.equal(new Set(good.map(({ text }) => text)).size, 1);
      assert.equal(new Set(good.map(({ body }) => body.identity.refresh_token.value)).size, 1);
    }
  });
});
