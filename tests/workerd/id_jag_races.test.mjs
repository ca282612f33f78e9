// What happens at the same moment: a provider's word, its being taken back, and a person's answer.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { register } from "./support/agent.mjs";
import { bearer, ok } from "./support/answers.mjs";
import { complete, page, poll } from "./support/claim.mjs";
import { Browser, codeOn } from "./support/person.mjs";
import { OPERATOR_KEY, ROUNDS, deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { admitted, asked, claimBy, confirm, confirmTyped, exchangeable, present, push, straight } from "./support/vouched.mjs";

let postern, provider, second;
before(async () => {
  provider = await provide({ name: "Example Agents" });
  postern = await deploy({ isolates: 2, vars: { ...trusting(provider), MAILS_PER_HOUR: "100000" } });
  second = await postern.second();
});
after(() => Promise.all([postern.stop(), provider.stop()]));

const address = () => `${randomUUID()}@example.com`;
const idJag = (who) => provider.idJag(postern, who);
const takeBack = (sub, base = postern.issuer) => push(postern, provider.event(postern, { sub }), { base });
const operator = (path, body) => ok(postern.json(`/operator/${path}`, body, bearer(OPERATOR_KEY)));
async function met() {
  const email = address();
  return { email, browser: await new Browser(postern).signIn(email), who: { sub: randomUUID(), email } };
}

test("the person confirms while the provider takes it back: nothing stands, and the next assertion asks (72, 77)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { browser, who } = await met();
    const step = await asked(postern, idJag(who));
    await browser.open(page(step.claim.verification_uri));
    const [, event] = await Promise.all([browser.submit("/agent/identity/claim/complete", { user_code: step.claim.user_code }), takeBack(who.sub, round % 2 ? second : undefined)]);
    assert.equal(event.status, 202);
    const got = await poll(postern, step.claim_token);
    assert.notEqual(got.status, 200, "the agent gets something on a word that was taken back");
    await asked(postern, idJag(who));
  }
});

test("the agent completes, or polls, while the provider takes it back: what it gets is dead (72, 77)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const relay of [false, true]) {
      const { browser, who } = await met();
      const step = await asked(postern, idJag(who));
      let pick;
      if (relay) {
        await browser.open(page(step.claim.verification_uri));
        await browser.submit("/claim/code");
        const code = codeOn(browser.html);
        pick = () => complete(postern, step.claim_token, code);
      } else {
        await confirm(browser, step.claim);
        pick = () => poll(postern, step.claim_token);
      }
      const [got] = await Promise.all([pick(), takeBack(who.sub)]);
      if (got.status === 200) assert.equal(await exchangeable(postern, got.body.identity.assertion), 400);
      await asked(postern, idJag(who));
    }
  }
});

test("an agent is claimed by an ID-JAG while the provider takes it back: it is not claimed on a dead word (72)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const who = { sub: randomUUID(), email: address() };
    await admitted(postern, idJag(who));
    const agent = await register(postern);
    const [got] = await Promise.all([claimBy(postern, agent.claim_token, idJag(who)), takeBack(who.sub, round % 2 ? second : undefined)]);
    if (got.status === 200 && got.body.status === "claimed") assert.equal(await exchangeable(postern, got.body.identity_assertion), 400, got.text);
    else assert.ok([200, 503].includes(got.status), got.text);
    await asked(postern, idJag(who));
  }
});

test("tokens straight for an ID-JAG while the provider takes it back are dead, or were not given (72)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const who = { sub: randomUUID(), email: address() };
    await admitted(postern, idJag(who));
    const answers = await Promise.all([takeBack(who.sub), ...Array.from({ length: 5 }, () => straight(postern, idJag(who)))]);
    for (const { status, body, text } of answers.slice(1)) {
      assert.ok([200, 400, 503].includes(status), text);
      if (status === 200) assert.equal((await fetch(`${postern.issuer}/api/v1/auth/me`, { headers: { authorization: `Bearer ${body.access_token}` } })).status, 401);
    }
    await asked(postern, idJag(who));
  }
});

test("the operator suspends while assertions come: afterwards nothing works (42)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const who = { sub: randomUUID(), email: address() };
    await admitted(postern, idJag(who));
    const answers = await Promise.all([operator("people/suspend", { email: who.email }), ...Array.from({ length: 4 }, () => present(postern, idJag(who)))]);
    for (const { status, body, text } of answers.slice(1)) {
      assert.ok([200, 400, 503].includes(status), text);
      if (status === 200) assert.equal(await exchangeable(postern, body.identity_assertion), 400);
    }
    assert.equal((await present(postern, idJag(who))).body.error, "access_denied");
  }
});

test("the operator ends the registration: the next assertion asks, also at once (C17, 72)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const who = { sub: randomUUID(), email: address() };
    const { id, identity_assertion } = await admitted(postern, idJag(who));
    const token = idJag(who);
    await operator("registrations/revoke", { registration_id: id });
    const got = await present(postern, token);
    assert.deepEqual([got.status, got.body.error], [401, "interaction_required"], got.text);
    assert.equal(await exchangeable(postern, identity_assertion), 400);
  }
});

test("many first presentations of one person's agent at once ask once and for all: the last one asked can be confirmed (60, 61)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { browser, who } = await met();
    const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => present(postern, idJag(who), index % 2 ? { base: second, headers: { "cf-connecting-ip": `10.81.${round % 250}.${index}` } } : {})));
    for (const { status, text } of answers) assert.equal(status, 401, text);
    assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
    const polls = await Promise.all(answers.map(({ body }) => poll(postern, body.claim_token)));
    const live = answers.filter((_, index) => polls[index].body.error === "authorization_pending");
    assert.equal(live.length, 1, polls.map(({ body }) => body.error).join());
    await confirm(browser, live[0].body.claim);
    await admitted(postern, idJag(who));
  }
});

test("a provider that is trusted no more: its assertions and waiting requests are over (39, 66)", async () => {
  const { browser, who } = await met();
  const known = { sub: randomUUID(), email: address() };
  await admitted(postern, idJag(known));
  const step = await asked(postern, idJag(who));
  const successor = await provide({ name: "Successor" });
  await postern.restart(trusting(successor));
  try {
    second = await postern.second();
    for (const somebody of [known, who]) assert.equal((await present(postern, idJag(somebody))).body.error, "invalid_issuer");
    assert.equal((await takeBack(known.sub)).body.err, "invalid_issuer");
    await browser.open(page(step.claim.verification_uri));
    assert.ok(browser.status >= 400 || browser.html.includes(provider.issuer), `a word is bound, and the page says that nobody vouches: ${browser.status}`);
  } finally {
    await successor.stop();
    await postern.restart(trusting(provider));
    second = await postern.second();
  }
  await confirmTyped(postern, browser, await asked(postern, idJag(who)));
});
