// What happens exactly once, however many try at once and through which worker.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange, registerKey } from "./support/agent.mjs";
import { at, claimed, crowd, introspect, me, press, reading, refresh, signedIn, trade, typing } from "./support/consent.mjs";
import { CLAIM, complete, poll, start } from "./support/claim.mjs";
import { mails } from "./support/person.mjs";
import { ROUNDS, address, deploy } from "./support/postern.mjs";
import { byEmail, challenge, claim, finish, links, shown } from "./support/v01.mjs";

const EMAIL = "once@example.com";
const TYPED = "/agent/identity/claim/complete";
let postern, second, person;
before(async () => {
  postern = await deploy({ isolates: 2, vars: { MAILS_PER_ADDRESS_PER_HOUR: "100000", MAILS_PER_HOUR: "100000" } });
  second = at(await postern.second());
  person = await signedIn(postern, EMAIL);
});
after(() => {
  const failed = postern.lines().filter(({ event, status }) => event !== "request" || status >= 500);
  assert.deepEqual(failed, [], "nothing failed on our side");
  return postern.stop();
});

/** One of the two workers. */
const either = (index) => (index % 2 ? second : postern);
const title = ({ text }) => /<h1[^>]*>([^<]*)/.exec(text)?.[1];
const count = (all, what) => all.filter((one) => one === what).length;

async function rounds(name, each) {
  test(name, async () => {
    for (let round = 0; round < ROUNDS; round += 1) await each(round);
  });
}

/** These bytes are one delivery, and what is in them works once for each use. */
async function oneDelivery(answers, token) {
  const bodies = new Set(answers.filter(({ status }) => status === 200).map(({ text }) => text));
  assert.equal(bodies.size, 1, [...bodies].join("\n"));
  const body = JSON.parse([...bodies][0]);
  const { access_token } = await exchange(postern, body.identity.assertion);
  for (const base of [postern.issuer, second.issuer]) assert.equal(await call(base, access_token), 200);
  assert.equal(claims(access_token).generation, 1, "one claim is one generation");
  assert.equal((await refresh(postern, body.identity.refresh_token.value)).status, 200);
  assert.equal((await poll(postern, token)).body.error, "expired_token", "used, so it is not delivered again");
  return body;
}

describe("a hundred at once", () => {
  rounds("polls at the moment of confirmation bring one body (32, 28)", async () => {
    const { token, user_code } = await typing(postern, EMAIL, person);
    const polls = () => crowd(50, (index) => poll(either(index), token));
    const [first, page, then] = await Promise.all([polls(), press(person, TYPED, { user_code }), polls()]);
    assert.equal(title(page), "Approved", page.text);
    const all = [...first, ...then, await poll(postern, token), await poll(second, token)];
    for (const { status, body } of all) if (status !== 200) assert.ok(status === 400 && ["authorization_pending", "slow_down"].includes(body.error), body.error);
    await oneDelivery(all, token);
  });

  rounds("polls after the confirmation bring one body, and one set of tokens (28)", async () => {
    const { token, user_code } = await typing(postern, EMAIL, person);
    await press(person, TYPED, { user_code });
    const all = await crowd(100, (index) => poll(either(index), token));
    assert.ok(all.every(({ status }) => status === 200), "none is refused");
    const { access_token } = await oneDelivery(all, token);
    assert.equal(await call(second.issuer, access_token), 200);
  });

  rounds("completions bring one identity (46)", async () => {
    const { token, code } = await reading(postern, EMAIL, person);
    const all = await crowd(100, (index) => complete(either(index), token, code));
    assert.ok(all.every(({ status }) => status === 200));
    await oneDelivery(all, token);
    assert.equal((await complete(postern, token, code)).body.error, "already_claimed");
  });

  rounds("completions of v0.1 bring one key (edge 69)", async (round) => {
    const { token, otp, agent } = await shown(postern, `once-${round}@example.com`);
    const all = await crowd(100, (index) => finish(either(index), token, otp));
    const keys = new Set(all.map(({ status, body }) => (status === 200 ? body.credential : body.error)));
    keys.delete("previously_claimed");
    assert.equal(keys.size, 1, [...keys].join());
    const { body } = await me(postern, [...keys][0]);
    assert.deepEqual([body.registration_id, body.claimed], [agent.registration_id, true]);
  });

  rounds("claims of v0.1 for one address are one attempt and one mail (C10)", async (round) => {
    const { claim_token } = await registerKey(postern);
    const email = `one-mail-${round}@example.com`;
    const all = await crowd(100, (index) => claim(either(index), claim_token, email));
    assert.equal(new Set(all.map(({ text }) => text)).size, 1, all.map(({ text }) => text).join("\n"));
    assert.equal(all[0].status, 200);
    assert.equal((await mails(postern, email)).length, 1);
  });

  rounds("copies of a registration by mail are one registration and one mail (155)", async (round) => {
    const email = `one-copy-${round}@example.com`;
    const headers = { "idempotency-key": `a-key-of-round-${round}-1234`, "cf-connecting-ip": address() };
    const all = await crowd(50, () => byEmail(postern, email, "api_key", headers));
    assert.equal(new Set(all.map(({ text }) => text)).size, 1, all.map(({ text }) => text).join("\n"));
    assert.equal(all[0].status, 200);
    const [link, ...more] = await links(postern, email);
    assert.equal(more.length, 0);
    assert.equal((await challenge(postern, link)).status, 200);
  });

  rounds("polls and completions at the same time bring one body, and tell the truth (46, C5)", async () => {
    const { token, code } = await reading(postern, EMAIL, person);
    const all = await crowd(100, (index) => (index % 2 ? poll(either(index >> 1), token) : complete(either(index >> 1), token, code)));
    const last = [await poll(postern, token), await complete(postern, token, code)];
    for (const { status, body } of [...all, ...last]) if (status !== 200) assert.ok(["authorization_pending", "slow_down", "expired_token", "already_claimed"].includes(body.error), body.error);
    await oneDelivery([...all, ...last], token);
  });

  rounds("typed submissions of the right code are one approval (32)", async () => {
    const { token, user_code } = await typing(postern, EMAIL, person);
    const pages = await crowd(100, (index) => press(person, TYPED, { user_code }, either(index).issuer));
    assert.equal(count(pages.map(title), "Approved"), 1);
    assert.equal(count(pages.map(title), "This was answered already"), 99);
    await oneDelivery([await poll(postern, token)], token);
  });

  rounds("wrong typed codes are five tries and no more (36)", async () => {
    const { token, user_code } = await typing(postern, EMAIL, person);
    const pages = await crowd(100, (index) => press(person, TYPED, { user_code: String((Number(user_code) + 1 + index) % 1_000_000).padStart(6, "0") }, either(index).issuer));
    const wrong = pages.filter(({ status }) => status === 401).length;
    assert.ok(wrong === 4 || wrong === 5, `${wrong} were called wrong`);
    assert.equal((await press(person, TYPED, { user_code })).status, 410, "then the right one is too late");
    assert.equal((await poll(postern, token)).body.error, "expired_token");
  });

  rounds("approvals and denials have one winner, and everybody is told the same (29)", async (round) => {
    const { token, user_code, agent } = await typing(postern, EMAIL, person);
    const early = await exchange(postern, agent.identity_assertion);
    const pages = await crowd(100, (index) => press(person, (index + round) % 2 ? "/claim/deny" : TYPED, { user_code }, either(index >> 1).issuer));
    const titles = pages.map(title);
    const [approved, denied] = [count(titles, "Approved"), count(titles, "Denied")];
    assert.equal(approved + denied, 1, `${approved} approved, ${denied} denied`);
    assert.equal(count(titles, approved ? "This was answered already" : "You said no"), 99, [...new Set(titles)].join());
    const got = await poll(postern, token);
    if (approved) await oneDelivery([got], token);
    else {
      assert.equal(got.body.error, "access_denied");
      assert.equal((await poll(second, token)).body.error, "access_denied", "and it stays so");
      assert.equal((await me(postern, early.access_token)).body.claimed, false);
    }
  });

  rounds("codes read out and denials have one winner (29)", async (round) => {
    const { token, code, id } = await reading(postern, EMAIL, person);
    const denies = (index) => Boolean((index + round) % 2);
    const all = await crowd(60, (index) => (denies(index) ? press(person, "/claim/deny", {}, either(index >> 1).issuer) : complete(either(index >> 1), token, code)));
    const [told, pages] = [all.filter((_, index) => !denies(index)), all.filter((_, index) => denies(index)).map(title)];
    const done = told.filter(({ status }) => status === 200);
    assert.ok(done.length === 0 ? count(pages, "Denied") === 1 : done.length === told.length && count(pages, "Denied") === 0, `${done.length} completed, ${count(pages, "Denied")} denied`);
    if (done.length) await oneDelivery(done, token);
    else assert.ok(told.every(({ body }) => body.error === "claim_denied"), id);
  });

  rounds("new attempts and completions agree on who was first (19, 46)", async (round) => {
    const { token, code } = await reading(postern, EMAIL, person);
    const begin = (index) => start(either(index), { type: "service_auth", claim_token: token, login_hint: EMAIL });
    const begins = (index) => index % 10 === (round % 2 ? 0 : 5);
    const all = await crowd(60, (index) => (begins(index) ? begin(index) : complete(either(index), token, code)));
    const begun = all.filter((_, index) => begins(index));
    const done = all.filter(({ status, body }) => status === 200 && body.status === "claimed");
    if (done.length) {
      await oneDelivery(done, token);
      const late = await begin(0);
      assert.deepEqual([late.status, late.body.error], [409, "already_claimed"]);
    } else {
      assert.ok(begun.every(({ status }) => status === 200));
      assert.equal((await complete(postern, token, code)).body.error, "claim_not_confirmed", "the code before is dead");
      assert.equal((await poll(postern, token)).body.error, "authorization_pending");
    }
  });

  rounds("refreshes have one successor value, and the family goes on from it (52)", async () => {
    let { spare } = await claimed(postern, EMAIL, person);
    for (let generation = 0; generation < 3; generation += 1) {
      const all = await crowd(100, (index) => refresh(either(index), spare));
      assert.ok(all.every(({ status }) => status === 200), all.find(({ status }) => status !== 200)?.text);
      const values = new Set(all.map(({ body }) => body.identity.refresh_token.value));
      assert.equal(values.size, 1);
      const late = await refresh(postern, spare);
      [spare] = values;
      assert.equal(late.body.identity.refresh_token.value, spare);
      assert.equal((await trade(postern, all[99].body.identity.assertion)).status, 200);
    }
  });

  rounds("refreshes of a token and of its successor never end the family (53)", async () => {
    const { spare } = await claimed(postern, EMAIL, person);
    const child = (await refresh(postern, spare)).body.identity.refresh_token.value;
    const all = await crowd(100, (index) => refresh(either(index), index % 3 ? child : spare));
    assert.ok(all.every(({ status }) => status === 200));
    const of = (which) => new Set(all.filter((_, index) => Boolean(index % 3) === which).map(({ body }) => body.identity.refresh_token.value));
    assert.deepEqual([...of(false)], [child]);
    assert.equal(of(true).size, 1);
    assert.equal((await refresh(postern, [...of(true)][0])).status, 200);
  });

  rounds("first uses of the delivered assertion end its delivery, and none of them fails (28)", async () => {
    const { token, given } = await claimed(postern, EMAIL, person);
    const all = await crowd(60, (index) => (index % 3 ? trade(either(index), given.identity_assertion) : poll(either(index), token)));
    assert.ok(all.every(({ status, body }, index) => status === 200 || (index % 3 === 0 && body.error === "expired_token")));
    assert.equal(new Set(all.filter(({ status }, index) => index % 3 === 0 && status === 200).map(({ text }) => text)).size <= 1, true);
    assert.equal((await poll(postern, token)).body.error, "expired_token");
    assert.deepEqual((await introspect(postern, given.access_token)).active, true);
  });
});

test("one claim grant request holds one claim token, once (31)", async () => {
  const { token } = await claimed(postern, EMAIL, person);
  const twice = await fetch(`${postern.issuer}/oauth2/token`, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: `grant_type=${encodeURIComponent(CLAIM)}&claim_token=${token}&claim_token=${token}` });
  assert.equal((await twice.json()).error, "invalid_request");
});
