// Taking it back while the agent is at it: afterwards nothing works, in any worker.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, exchange, sleep, until } from "./support/agent.mjs";
import { assertDead, asking, at, claimed, crowd, introspect, operate, press, reading, refresh, signedIn, trade, typing } from "./support/consent.mjs";
import { complete, poll, start } from "./support/claim.mjs";
import { ROUNDS, deploy } from "./support/postern.mjs";
import { claim, finish, shown } from "./support/v01.mjs";

const TYPED = "/agent/identity/claim/complete";
const LIVENESS = 1000;
let postern, second, owner;
before(async () => {
  postern = await deploy({ isolates: 2, vars: { MAILS_PER_ADDRESS_PER_HOUR: "100000", MAILS_PER_HOUR: "100000" } });
  second = at(await postern.second());
  owner = await signedIn(postern, "owner@example.com");
});
after(() => postern.stop());

const either = (index) => (index % 2 ? second : postern);
const done = async (answer, wanted = 200) => {
  const { status, text } = await answer;
  assert.equal(status, wanted, text);
};
/** What a worker may still trust after the answer is over by then. */
const felt = () => sleep(LIVENESS + 30);

/** The deliveries among these answers, each once. */
const deliveries = (answers) => [...new Set(answers.filter(({ status, body }) => status === 200 && body?.identity).map(({ text }) => text))].map((text) => JSON.parse(text));

/** Whatever was delivered in any round is dead, and no further delivery comes. Waits once for all rounds. */
async function nothingWorks(rounds, about) {
  await felt();
  for (const { token, answers } of rounds) {
    for (const body of deliveries(answers)) await assertDead([postern, second], body, about);
    for (const from of [postern, second]) {
      const late = await poll(from, token);
      assert.ok(["expired_token", "access_denied"].includes(late.body.error), `${about}: a late poll says ${late.text}`);
    }
  }
}

describe("what is taken back while the agent polls is gone (102, 105)", () => {
  const ways = {
    "by the owner, one agent": (who, { id }) => done(press(who, "/account/agents/revoke", { registration: id }), 303),
    "by the operator": (who, { id }) => done(operate(postern, "registrations/revoke", { registration_id: id })),
  };
  for (const [how, end] of Object.entries(ways)) {
    test(`${how}, after the delivery`, async () => {
      const rounds = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const agent = await claimed(postern, "owner@example.com", owner);
        for (const { issuer } of [postern, second]) assert.equal(await call(issuer, agent.given.access_token), 200);
        await owner.open("/account");
        const [polls] = await Promise.all([crowd(20, (index) => poll(either(index), agent.token)), end(owner, agent)]);
        assert.equal((await trade(second, agent.given.identity_assertion)).body.error, "invalid_grant", "the token endpoint knows at once");
        assert.equal((await refresh(second, agent.spare)).body.error, "invalid_refresh_token");
        assert.equal((await start(postern, { type: "login_hint", claim_token: agent.token, login_hint: "owner@example.com" })).status, 409, "claimed is said before revoked");
        rounds.push({ token: agent.token, answers: [...polls, { status: 200, body: agent.given, text: agent.text }] });
      }
      await nothingWorks(rounds, how);
    });

    test(`${how}, at the moment of delivery`, async () => {
      const rounds = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const agent = await typing(postern, "owner@example.com", owner);
        await done(press(owner, TYPED, { user_code: agent.user_code }));
        const [first, , then] = await Promise.all([crowd(round % 3, (index) => poll(either(index), agent.token)), end(owner, agent), crowd(10, (index) => poll(either(index), agent.token))]);
        rounds.push({ token: agent.token, answers: [...first, ...then] });
        assert.ok(deliveries(rounds.at(-1).answers).length <= 1);
      }
      await nothingWorks(rounds, how);
    });
  }

  test("by the operator, while the code is read out", async () => {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const agent = await reading(postern, "owner@example.com", owner);
      const finishing = () => crowd(6, (index) => complete(either(index), agent.token, agent.code));
      const [first, , then] = await Promise.all([finishing(), done(operate(postern, "registrations/revoke", { registration_id: agent.id })), finishing()]);
      rounds.push({ token: agent.token, answers: [...first, ...then] });
      const { status, body } = await complete(postern, agent.token, agent.code);
      assert.ok([409, 410].includes(status) && ["already_claimed", "claim_revoked"].includes(body.error), body.error);
    }
    await nothingWorks(rounds, "read out");
  });

  test("by the operator, before anybody has answered: the page, the codes and the poll are over (77)", async () => {
    const agent = await asking(postern, "owner@example.com", owner);
    await done(operate(postern, "registrations/revoke", { registration_id: agent.id }));
    assert.equal((await press(owner, "/claim/code")).status, 410);
    assert.equal((await press(owner, TYPED, { user_code: agent.user_code })).status, 410);
    await owner.open(`/claim?claim_attempt_token=${decodeURIComponent(agent.verification_uri).split("claim_attempt_token=")[1]}`);
    assert.equal(owner.status, 410);
    assert.equal((await poll(postern, agent.token)).body.error, "expired_token");
    assert.deepEqual(await complete(postern, agent.token, "123456").then(({ status, body }) => [status, body.error]), [410, "claim_revoked"]);
    for (const [type, error] of [["service_auth", "claim_revoked"], ["login_hint", "claim_expired"]]) {
      assert.deepEqual(await start(postern, { type, claim_token: agent.token, login_hint: "owner@example.com" }).then(({ status, body }) => [status, body.error]), [410, error]);
    }
  });
});

describe("a person who is barred or gone", () => {
  /** Agents that are approved one after the other, and their owner taken away when some of them have been served. */
  async function amidst(path, rounds, also = async () => {}) {
    const all = [];
    for (let round = 0; round < rounds; round += 1) {
      const email = `${path.slice(7)}-${round}@example.com`;
      const person = await signedIn(postern, email);
      const agents = [];
      for (let number = 0; number < 6; number += 1) {
        const agent = await typing(postern, email, person);
        agents.push({ ...agent, page: person.html });
      }
      let served = 0;
      let ended;
      const approve = async (agent, index) => {
        await press({ ...person, html: agent.page }, TYPED, { user_code: agent.user_code }, either(index).issuer);
        const answer = await poll(either(index), agent.token);
        served += 1;
        if (served > round % 4) ended ??= done(operate(either(round), path, { email }));
        return answer;
      };
      const answers = await Promise.all(agents.map(approve));
      await ended;
      assert.ok(ended, "the owner was taken away");
      for (const { status, body } of answers) if (status !== 200) assert.ok(["access_denied", "authorization_pending", "expired_token"].includes(body.error), body.error);
      all.push({ email, agents, answers, person });
    }
    await felt();
    for (const { email, answers } of all) for (const body of deliveries(answers)) await assertDead([postern, second], body, `${path} ${email}`);
    for (const one of all) await also(one);
    assert.ok(all.some(({ answers }) => deliveries(answers).length > 0), "some had been served");
  }

  test("suspended: no agent of theirs works, not even one approved a moment ago, until they are let in again (30, 102)", async () => {
    await amidst("people/suspend", ROUNDS, async ({ email, answers, person }) => {
      await person.open("/account");
      assert.match(person.url, /^\/login/, "they are signed out");
      await done(operate(postern, "people/resume", { email }));
      for (const { access_token } of deliveries(answers)) await until(async () => (await introspect(second, access_token)).active);
    });
  });

  test("erased: no agent of theirs works ever again, not even one approved a moment ago (54, 102)", async () => {
    await amidst("people/erase", ROUNDS, async ({ email, agents, answers }) => {
      for (const { token } of agents) assert.notEqual((await poll(postern, token)).status, 200);
      const again = await signedIn(postern, email);
      await again.open("/account");
      assert.ok(agents.every(({ id }) => !again.html.includes(id)), "who comes again has no agents");
      for (const body of deliveries(answers)) await assertDead([postern, second], body, "they came again");
    });
  });

  test("suspended after the delivery: a repeat of the delivery is denied too (30)", async () => {
    const { token } = await claimed(postern, "repeated@example.com");
    await done(operate(postern, "people/suspend", { email: "repeated@example.com" }));
    assert.deepEqual(await poll(postern, token).then(({ status, body }) => [status, body.error]), [400, "access_denied"]);
  });

  test("suspended between confirmation and delivery: access_denied, and no token (30)", async () => {
    const [typed, read] = [await typing(postern, "between@example.com"), await reading(postern, "between@example.com")];
    await done(press(typed.person, TYPED, { user_code: typed.user_code }));
    await done(operate(postern, "people/suspend", { email: "between@example.com" }));
    for (let time = 0; time < 2; time += 1) assert.deepEqual(await poll(postern, typed.token).then(({ status, body }) => [status, body.error]), [400, "access_denied"]);
    assert.deepEqual(await complete(postern, read.token, read.code).then(({ status, body }) => [status, body.error]), [403, "claim_denied"]);
    await done(operate(postern, "people/resume", { email: "between@example.com" }));
    assert.equal((await poll(postern, typed.token)).status, 200);
  });

  test("suspended: their agents are found by every kind of credential, and everybody else's go on (102)", async () => {
    const [theirs, other] = [await claimed(postern, "barred@example.com"), await claimed(postern, "owner@example.com", owner)];
    const { token, otp } = await shown(postern, "barred@example.com");
    const { credential } = (await finish(postern, token, otp)).body;
    assert.equal(await call(postern.issuer, credential), 200);
    assert.equal((await operate(postern, "people/suspend", { email: "Barred@Example.com" })).body.agents, 2);
    await felt();
    await assertDead([postern, second], theirs.given, "suspended");
    for (const { issuer } of [postern, second]) assert.equal(await call(issuer, credential), 401);
    assert.deepEqual(await introspect(second, credential), { active: false });
    assert.equal(await call(second.issuer, other.given.access_token), 200);
    await done(operate(postern, "people/resume", { email: "barred@example.com" }));
    await felt();
    for (const key of [credential, theirs.given.access_token]) assert.equal(await call(second.issuer, key), 200, "as if nothing had been");
    assert.equal((await refresh(postern, theirs.spare)).status, 200);
  });
});

test("all agents at once, by their owner, also those approved a moment ago; then a new one works (102, 106)", async () => {
  const all = [];
  const other = await claimed(postern, "owner@example.com", owner);
  for (let round = 0; round < ROUNDS; round += 1) {
    const email = `all-${round}@example.com`;
    const person = await signedIn(postern, email);
    const agents = [await claimed(postern, email, person), await claimed(postern, email, person)];
    const last = await typing(postern, email, person);
    // The same page carries the token of every form.
    await done(press(person, TYPED, { user_code: last.user_code }));
    const [answer] = await Promise.all([poll(second, last.token), done(press(person, "/account/agents/revoke-all"), 303)]);
    all.push({ round, given: [...agents.map(({ given }) => given), ...deliveries([answer, await poll(postern, last.token)])] });
    const fresh = await claimed(postern, email, person);
    assert.equal(await call(postern.issuer, (await exchange(postern, fresh.given.identity_assertion)).access_token), 200);
  }
  await felt();
  for (const { round, given } of all) for (const body of given) await assertDead([postern, second], body, `all, round ${round}`);
  assert.equal(await call(second.issuer, other.given.access_token), 200, "nobody else's");
});

test("nobody takes back what is another's, and only the operator may operate (102, 113)", async () => {
  const mine = await claimed(postern, "owner@example.com", owner);
  const stranger = await claimed(postern, "stranger@example.com");
  await stranger.person.open("/account");
  await done(press(stranger.person, "/account/agents/revoke", { registration: mine.id }), 404);
  for (const authorization of ["", "Bearer x", `Bearer ${mine.given.access_token}`]) {
    for (const [path, body] of [["registrations/revoke", { registration_id: mine.id }], ["people/suspend", { email: "owner@example.com" }], ["people/erase", { email: "owner@example.com" }]]) {
      assert.equal((await postern.json(`/operator/${path}`, body, authorization ? { authorization } : {})).status, 401);
    }
  }
  for (const [path, body] of [["registrations/revoke", { registration_id: "reg_0000000000000000000000" }], ["people/suspend", { email: "never-was@example.com" }], ["people/resume", { email: "never-was@example.com" }], ["people/erase", { email: "never-was@example.com" }]]) await done(operate(postern, path, body), 404);
  assert.equal(await call(second.issuer, mine.given.access_token), 200);
  await done(claim(postern, mine.token, "owner@example.com"), 401);
});
