// Starting an attempt: which bodies are taken, what the answer shows, what it ends, and how it is refused.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { exchange, register } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { again, asking, atPage, csrf, nothingFor, onBehalf, refusedAgent, reveal, someone, type, wrong } from "./support/ceremony.mjs";
import { attemptToken, complete, poll, start } from "./support/claim.mjs";
import { Browser } from "./support/person.mjs";
import { deploy, ROUNDS } from "./support/postern.mjs";
import { voucher } from "./support/voucher.mjs";

const SIX = /(?<![0-9A-Za-z])\d{6}(?![0-9A-Za-z])/g;

let postern, provider;
before(async () => {
  provider = await voucher();
  postern = await deploy({ vars: { TRUSTED_PROVIDERS: JSON.stringify([provider.entry]), MAILS_PER_HOUR: "100000" } });
});
after(async () => {
  await postern.stop();
  await provider.stop();
});

const claim = (body) => postern.json("/agent/identity/claim", body);
const byIdJag = async (claim_token, sub, email) => start(postern, { type: "identity_assertion", claim_token, assertion: await provider.vouch(postern.issuer, sub, email) });

describe("the body", () => {
  test("may be of four shapes, of three versions and of AuthKit (17)", async () => {
    for (const shape of [(email) => ({ email }), (login_hint) => ({ login_hint }), (login_hint) => ({ type: "login_hint", login_hint }), (email) => ({ type: "login_hint", email }), (login_hint) => ({ type: "service_auth", login_hint })]) {
      const { claim_token, registration_id } = await register(postern);
      const { status, body, text, headers } = await start(postern, { claim_token, ...shape(someone()) });
      assert.equal(status, 200, text);
      assert.deepEqual([body.registration_id, body.id, body.status], [registration_id, registration_id, "initiated"]);
      assert.match(body.claim_attempt_id, /^cla_[0-9A-Za-z]+$/);
      assert.notEqual(body.claim_attempt_id, registration_id, "edge 57");
      assert.deepEqual([body.claim_attempt.interval, typeof body.claim_attempt.expires_in], [5, "number"]);
      assert.deepEqual(body.attempt, { verification_uri: body.claim_attempt.verification_uri, expires_at: body.expires_at });
      assert.equal(headers.get("cache-control"), "no-store");
    }
    const { claim_token, registration_id } = await register(postern);
    const clean = await byIdJag(claim_token, "shape", someone());
    assert.deepEqual([clean.status, clean.body.status, clean.body.registration_id, clean.body.registration_type], [200, "claimed", registration_id, "identity_assertion"], clean.text);
    assert.ok(!("access_token" in clean.body));
    await exchange(postern, clean.body.identity_assertion);
  });

  test("of another type, or without what it needs, is 400 (17)", async () => {
    const { claim_token } = await register(postern);
    const login_hint = someone();
    for (const wrongly of ["anonymous", "LOGIN_HINT", "", "typed", "refresh"]) await refusedAgent(claim({ type: wrongly, claim_token, login_hint }), 400, "invalid_request", wrongly);
    for (const body of [{}, { claim_token }, { login_hint }, { claim_token: "", login_hint: 1 }, { claim_token: null, login_hint }, { claim_token: [claim_token], login_hint }, { claim_token: 7, login_hint }, { claim_token, login_hint, email: someone() }, { type: 1, claim_token, login_hint }, { type: ["login_hint"], claim_token, login_hint }]) {
      const { status, body: answer, text } = await read(claim(body));
      assert.ok(status === 400 || (status === 401 && body.claim_token === ""), `${JSON.stringify(body)} ${text}`);
      assert.ok(answer.error);
    }
    assert.equal((await start(postern, { type: "login_hint", claim_token, login_hint })).status, 200, "none of it has spent anything");
  });
});

describe("the answer", () => {
  test("to type service_auth has no code of six digits anywhere, and to login_hint has it once (18, C1)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const relay = await asking(postern, someone(), "service_auth");
      assert.deepEqual(JSON.stringify(relay.started).match(SIX), null);
      assert.ok(!("user_code" in relay.started.claim_attempt));
      assert.equal(relay.started.type, "service_auth");
      const typedOne = await asking(postern);
      assert.deepEqual(JSON.stringify(typedOne.started).match(SIX), [typedOne.user_code]);
    }
  });

  test("to type service_auth leaves only the page's code, to login_hint only the agent's (C1)", async () => {
    const relay = await asking(postern, someone(), "service_auth");
    const one = await atPage(postern, relay);
    assert.doesNotMatch(one.html, /name="user_code"/);
    assert.match(one.html, /action="\/claim\/code"/);
    const shown = await asking(postern);
    const two = await atPage(postern, shown);
    assert.match(two.html, /name="user_code"/);
    assert.doesNotMatch(two.html, /action="\/claim\/code"/);
    // The form of the way that is not open is refused when somebody makes it up.
    await two.post("/claim/code", { csrf: csrf(two), claim_attempt_token: shown.view });
    assert.equal(two.status, 409, two.html);
    assert.doesNotMatch(two.html, /class="shown"/);
    await one.post("/agent/identity/claim/complete", { csrf: csrf(one), claim_attempt_token: relay.view, user_code: "000000" });
    assert.equal(one.status, 409, one.html);
  });

  for (const [setting, there, gone] of [["typed", /name="user_code"/, /action="\/claim\/code"/], ["relay", /action="\/claim\/code"/, /name="user_code"/]])
    test(`is of one way alone where the deployment has chosen ${setting} (C1)`, async () => {
      const one = await deploy({ vars: { CLAIM_CODE: setting }, persist: false });
      try {
        for (const ceremony of [await onBehalf(one), await asking(one, someone(), "service_auth"), await asking(one)]) {
          assert.equal(ceremony.user_code !== undefined, setting === "typed");
          const { html } = await atPage(one, ceremony);
          assert.match(html, there);
          assert.doesNotMatch(html, gone);
        }
      } finally {
        await one.stop();
      }
    });
});

for (const [dialect, there, gone] of [["0.7", /name="user_code"/, /action="\/claim\/code"/], ["authkit", /action="\/claim\/code"/, /name="user_code"/]])
  test(`where ${dialect} is the only dialect, an agent that names its person has that dialect's way alone (C1)`, async () => {
    const one = await deploy({ vars: { AUTH_MD_DIALECTS: dialect }, persist: false });
    try {
      const email = someone();
      const { claim } = await ok(one.json("/agent/identity", { type: "service_auth", login_hint: email }));
      assert.equal("user_code" in claim, dialect === "0.7");
      const { html } = await atPage(one, { email, verification_uri: claim.verification_uri ?? claim.attempt.verification_uri });
      assert.match(html, there);
      assert.doesNotMatch(html, gone);
    } finally {
      await one.stop();
    }
  });

describe("one more attempt", () => {
  test("ends the link, the typed code and the shown code of the one before, for the same address too (19, C10, edge 56)", async () => {
    const first = await onBehalf(postern);
    const person = await atPage(postern, first);
    const code = await reveal(person);
    const second = await again(postern, first.claim_token, first.email);
    assert.notEqual(second.view, first.view);
    assert.equal((await person.open(first.path)).status, 404, "the old link is dead");
    assert.equal((await complete(postern, first.claim_token, code)).body.error, "claim_not_confirmed", "the shown code is dead");
    await person.open(second.path);
    await type(person, first.user_code === second.user_code ? wrong(first.user_code) : first.user_code);
    assert.equal(person.status, 401, "the old typed code is dead");
    const third = await again(postern, first.claim_token, first.email);
    assert.equal(new Set([first.started?.claim_attempt_id, second.started.claim_attempt_id, third.started.claim_attempt_id]).size, 3, "each has a name of its own");
    await person.open(third.path);
    await type(person, third.user_code);
    assert.equal(person.status, 200);
    assert.equal((await poll(postern, first.claim_token)).status, 200);
  });

  test("kills the forms of the page before, which is still open in a browser (19)", async () => {
    const first = await asking(postern);
    const person = await atPage(postern, first);
    await again(postern, first.claim_token, first.email);
    await type(person, first.user_code);
    assert.equal(person.status, 404, person.html);
    await nothingFor(postern, first.claim_token, first.user_code);
  });

  test("of a hundred at once leaves one live page and no more than ten attempts (19, 24)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { claim_token } = await register(postern);
      const email = someone();
      const answers = await Promise.all(Array.from({ length: 100 }, () => start(postern, { type: "login_hint", claim_token, login_hint: email })));
      const begun = answers.filter(({ status }) => status === 200);
      assert.equal(begun.length, 10);
      assert.ok(answers.every(({ status, body }) => status === 200 || (status === 429 && body.error === "rate_limited")));
      const person = await new Browser(postern).signIn(email, "/account");
      const open = [];
      for (const { body } of begun) open.push((await person.open(`/claim?claim_attempt_token=${attemptToken(body.claim_attempt.verification_uri)}`)).status);
      assert.deepEqual(open.toSorted(), [200, ...Array(9).fill(404)]);
    }
  });

  test("may be for another address if the agent is anonymous, never if it named its person (20, C15, edge 72)", async () => {
    const anonymous = await asking(postern);
    const before = await atPage(postern, anonymous);
    const other = someone();
    const second = await again(postern, anonymous.claim_token, other);
    assert.equal((await before.open(second.path)).status, 403, "the first person has no part in it");
    assert.equal((await before.open(anonymous.path)).status, 404);
    await atPage(postern, { email: other, verification_uri: second.verification_uri });

    const named = await onBehalf(postern);
    for (const body of [{ type: "login_hint", login_hint: other }, { type: "service_auth", login_hint: other }, { email: other }]) await refusedAgent(claim({ claim_token: named.claim_token, ...body }), 400, "invalid_login_hint");
    await atPage(postern, named);
    assert.equal((await start(postern, { claim_token: named.claim_token, login_hint: named.email.toUpperCase() })).status, 200, "its own, in another case");
  });

  test("after too many wrong codes goes on with the same registration (23)", async () => {
    const first = await asking(postern);
    const person = await atPage(postern, first);
    for (let time = 0; time < 5; time += 1) await type(person, wrong(first.user_code));
    assert.equal((await poll(postern, first.claim_token)).body.error, "expired_token");
    const second = await again(postern, first.claim_token, first.email);
    assert.equal(second.started.registration_id, first.agent.registration_id);
    await person.open(second.path);
    await type(person, second.user_code);
    assert.equal(person.status, 200, person.html);
    const got = await poll(postern, first.claim_token);
    assert.equal(got.body.registration_id, first.agent.registration_id, got.text);
  });

  test("is 429 with retry_after and Retry-After once there were ten in an hour, in each dialect's name (24, C11)", async () => {
    const { claim_token } = await register(postern);
    const login_hint = someone();
    for (let time = 0; time < 10; time += 1) assert.equal((await start(postern, { type: time % 2 ? "service_auth" : "login_hint", claim_token, login_hint })).status, 200);
    const { body } = await refusedAgent(claim({ type: "login_hint", claim_token, login_hint }), 429, "rate_limited");
    assert.ok(body.retry_after > 3000 && body.retry_after <= 3600, `${body.retry_after}`);
    await refusedAgent(claim({ type: "service_auth", claim_token, login_hint }), 429, "too_many_attempts");
  });
});
