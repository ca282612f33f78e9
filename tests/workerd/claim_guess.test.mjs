// Guessing codes: five tries an attempt, ten a claim, counted one by one however many come at once.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { registerKey } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { again, asking, atPage, csrf, nothingFor, onBehalf, refusedAgent, reveal, someone, type, wrong } from "./support/ceremony.mjs";
import { complete, poll, start } from "./support/claim.mjs";
import { Browser, newestMail } from "./support/person.mjs";
import { deploy, ROUNDS } from "./support/postern.mjs";

const TYPE = "/agent/identity/claim/complete";

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_HOUR: "1000000" } })));
after(() => postern.stop());

/** A hundred codes that are all wrong, each once. */
const wrongs = (code) => Array.from({ length: 100 }, (_, index) => String((Number(code) + 1 + index * 7919) % 1_000_000).padStart(6, "0")).filter((other) => other !== code);
const count = (answers, error) => answers.filter(({ body }) => body?.error === error).length;

/** A hundred wrong codes typed at once by one person; how often each status came. */
async function typeAtOnce(person, { view, user_code }) {
  const fields = { csrf: csrf(person), claim_attempt_token: view };
  const twins = wrongs(user_code).map((code) => [Object.assign(new Browser(postern, { ip: person.ip }), { cookies: new Map(person.cookies) }), code]);
  const statuses = await Promise.all(twins.map(async ([twin, code]) => (await twin.post(TYPE, { ...fields, user_code: code })).status));
  return { wrong: statuses.filter((status) => status === 401).length, over: statuses.filter((status) => status === 410).length, of: statuses.length };
}

describe("the agent", () => {
  test("that sends a hundred wrong codes at once has five judged, and the right one fails then (36, edge 67)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await onBehalf(postern);
      const code = await reveal(await atPage(postern, ceremony));
      const answers = await Promise.all(wrongs(code).map((guess) => complete(postern, ceremony.claim_token, guess)));
      assert.equal(count(answers, "invalid_user_code"), 5);
      assert.equal(count(answers, "user_code_expired"), answers.length - 5);
      const right = await complete(postern, ceremony.claim_token, code);
      assert.deepEqual([right.status, right.body.error], [410, "user_code_expired"]);
      await nothingFor(postern, ceremony.claim_token, code);
    }
  });

  test("that has the right one among a hundred gets in at most once, and never after five wrong ones", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await onBehalf(postern);
      const code = await reveal(await atPage(postern, ceremony));
      const guesses = wrongs(code);
      guesses.splice(round % 8, 0, code);
      const answers = await Promise.all(guesses.map((guess) => complete(postern, ceremony.claim_token, guess)));
      const inside = answers.filter(({ status }) => status === 200).length;
      assert.ok(inside <= 1);
      assert.ok(inside ? count(answers, "invalid_user_code") < 5 : count(answers, "invalid_user_code") === 5, `${inside} ${count(answers, "invalid_user_code")}`);
    }
  });

  test("has ten tries in all attempts of a claim; then no attempt begins and nothing completes (1.12 item 4)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { claim_token, ...ceremony } = await onBehalf(postern);
      const person = await atPage(postern, ceremony);
      let [total, code] = [0, await reveal(person)];
      for (const size of [3, 4, 3]) {
        const answers = await Promise.all(wrongs(code).slice(0, size).map((guess) => complete(postern, claim_token, guess)));
        total += count(answers, "invalid_user_code");
        if (total === 10) break;
        const next = await again(postern, claim_token, ceremony.email, "service_auth");
        code = await reveal(await person.open(next.path));
      }
      assert.equal(total, 10);
      assert.equal((await complete(postern, claim_token, code)).body.error, "user_code_expired");
      assert.equal((await poll(postern, claim_token)).status, 400);
      await refusedAgent(postern.json("/agent/identity/claim", { type: "login_hint", claim_token, login_hint: ceremony.email }), 429, "rate_limited");
      await refusedAgent(postern.json("/agent/identity/claim", { type: "service_auth", claim_token, login_hint: ceremony.email }), 429, "too_many_attempts");
    }
  });

  test("gets no further by the code that it shows itself: that is another code (C2, 45)", async () => {
    const ceremony = await onBehalf(postern);
    const before = await complete(postern, ceremony.claim_token, ceremony.user_code);
    assert.deepEqual([before.status, before.body.error], [409, "claim_not_confirmed"]);
    const person = await atPage(postern, ceremony);
    const code = await reveal(person);
    if (code === ceremony.user_code) return;
    for (let time = 0; time < 5; time += 1) {
      const after = await complete(postern, ceremony.claim_token, ceremony.user_code);
      assert.deepEqual([after.status, after.body.error], [401, "invalid_user_code"], "it counts as a try");
    }
    assert.equal((await complete(postern, ceremony.claim_token, code)).body.error, "user_code_expired");
    const other = await asking(postern);
    await type(await atPage(postern, other), other.user_code);
    assert.equal((await complete(postern, other.claim_token, other.user_code)).body.error, "already_claimed", "nor once the person has typed it");
    assert.equal((await poll(postern, other.claim_token)).status, 200);
  });

  test("gets no more tries by having its person ask for code after code", async () => {
    const ceremony = await onBehalf(postern);
    const person = await atPage(postern, ceremony);
    const errors = [];
    for (let time = 0; time < 5; time += 1) {
      await person.open(ceremony.path);
      const code = await reveal(person);
      errors.push((await complete(postern, ceremony.claim_token, wrong(code))).body.error);
    }
    assert.deepEqual(errors, Array(5).fill("invalid_user_code"));
    assert.equal((await person.open(ceremony.path)).status, 410);
    assert.equal((await complete(postern, ceremony.claim_token, "000000")).body.error, "user_code_expired");
  });

  test("of another registration guesses at its own claim only", async () => {
    const [one, two] = [await onBehalf(postern), await onBehalf(postern)];
    const [first, second] = [await reveal(await atPage(postern, one)), await reveal(await atPage(postern, two))];
    if (first !== second) assert.equal((await complete(postern, one.claim_token, second)).body.error, "invalid_user_code");
    for (const [{ claim_token }, code] of [[one, first], [two, second]]) assert.equal((await complete(postern, claim_token, code)).status, 200);
  });
});

describe("the person", () => {
  test("who types a hundred wrong codes at once has five judged, and the right one fails then (36, edge 67)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await asking(postern);
      const person = await atPage(postern, ceremony);
      const seen = await typeAtOnce(person, ceremony);
      // The fifth wrong one closes the attempt, and says so.
      assert.deepEqual([seen.wrong, seen.over], [4, seen.of - 4]);
      await person.post(TYPE, { csrf: csrf(person), claim_attempt_token: ceremony.view, user_code: ceremony.user_code });
      assert.equal(person.status, 410);
      await nothingFor(postern, ceremony.claim_token, ceremony.user_code);
    }
  });

  test("shares the ten tries of the claim with the agent", async () => {
    const ceremony = await onBehalf(postern);
    const person = await atPage(postern, ceremony);
    await typeAtOnce(person, ceremony);
    const second = await again(postern, ceremony.claim_token, ceremony.email, "service_auth");
    const code = await reveal(await person.open(second.path));
    const answers = await Promise.all(wrongs(code).map((guess) => complete(postern, ceremony.claim_token, guess)));
    assert.equal(count(answers, "invalid_user_code"), 5);
    assert.equal((await start(postern, { claim_token: ceremony.claim_token, login_hint: ceremony.email })).status, 429);
  });
});

describe("auth.md v0.1", () => {
  const mailed = async (claim_token, email) => {
    await ok(postern.json("/agent/auth/claim", { claim_token, email }));
    return new Browser(postern).open((await newestMail(postern, email)).links[0]);
  };
  const submit = (claim_token, otp) => read(postern.json("/agent/auth/claim/complete", { claim_token, otp }));

  test("has five tries too, under a hundred at once, and a new link begins anew (edge 67)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { claim_token } = await registerKey(postern);
      const [email, other] = [someone(), someone()];
      const otp = await reveal(await mailed(claim_token, email));
      const answers = await Promise.all(wrongs(otp).map((guess) => submit(claim_token, guess)));
      assert.equal(count(answers, "otp_invalid"), 5);
      assert.equal(count(answers, "otp_expired"), answers.length - 5);
      assert.equal((await submit(claim_token, otp)).body.error, "otp_expired");
      const fresh = await reveal(await mailed(claim_token, round % 2 ? email : other));
      assert.equal((await submit(claim_token, wrong(fresh))).body.error, "otp_invalid");
      assert.equal((await submit(claim_token, fresh)).status, 200);
    }
  });
});
