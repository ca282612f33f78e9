// What a provider takes back ends at once, everywhere, and nothing else does.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call, exchange, register, until } from "./support/agent.mjs";
import { basic, ok, read } from "./support/answers.mjs";
import { page, poll, start } from "./support/claim.mjs";
import { Browser } from "./support/person.mjs";
import { RESOURCE_SERVER_KEY, ROUNDS, deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { admitted, asked, claimBy, confirm, confirmRelay, confirmTyped, exchangeable, present, presentV01, push, pushV01, straight } from "./support/vouched.mjs";

let postern, provider, other, second;
before(async () => {
  [provider, other] = [await provide(), await provide({ name: "Other Agents" })];
  postern = await deploy({ isolates: 2, vars: { ...trusting(provider, other), MAILS_PER_HOUR: "100000" } });
  second = await postern.second();
});
after(() => Promise.all([postern.stop(), provider.stop(), other.stop()]));

const address = () => `${randomUUID()}@example.com`;
const idJag = (who, from = provider) => from.idJag(postern, who);
const refresh = (value) => read(postern.json("/agent/identity", { type: "refresh", refresh_token: value }));
const active = async (token) => (await ok(postern.form("/oauth2/introspect", { token }, basic("api", RESOURCE_SERVER_KEY)))).active;
async function takeBack(sub, from = provider, options) {
  const got = await push(postern, from.event(postern, { sub }), options);
  assert.equal(got.status, 202, got.text);
}
/** A person with an account, and an agent of theirs that they have confirmed. */
async function met(from = provider) {
  const email = address();
  const who = { sub: randomUUID(), email };
  const browser = await new Browser(postern).signIn(email);
  const got = await confirmTyped(postern, browser, await asked(postern, idJag(who, from)));
  return { who, email, browser, got };
}

describe("what ends", () => {
  test("assertion, tokens, API key and refresh token of that subject (72, 54, 102, v0.1 6)", async () => {
    const { who, browser, got } = await met();
    const more = await exchange(postern, got.identity_assertion);
    const { body: keyed } = await presentV01(postern, idJag(who), "api_key");
    const direct = await straight(postern, idJag(who));
    const clean = await admitted(postern, idJag(who));
    const renewed = await refresh(got.identity.refresh_token.value);
    assert.equal(renewed.status, 200, renewed.text);
    const tokens = [got.access_token, more.access_token, direct.body.access_token, keyed.credential];
    for (const token of tokens) assert.equal(await call(postern.issuer, token), 200);
    await takeBack(who.sub);
    for (const token of tokens) {
      assert.equal(await call(postern.issuer, token), 401);
      assert.equal(await active(token), false);
    }
    for (const assertion of [got.identity_assertion, clean.identity_assertion, renewed.body.identity.assertion]) assert.equal(await exchangeable(postern, assertion), 400);
    for (const value of [got.identity.refresh_token.value, renewed.body.identity.refresh_token.value]) assert.equal((await refresh(value)).body.error, "invalid_refresh_token");
    assert.equal((await read(postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: keyed.credential }))).body.error, "invalid_client");
    assert.notEqual((await poll(postern, got.claim_token ?? "x")).status, 200);
    await until(async () => /revoked|ended/i.test((await browser.open("/account")).html));
  });

  test("the next assertion steps up, also for a person whom the provider brought; what was before stays dead (72, C17, 1.12 7)", async () => {
    const who = { sub: randomUUID(), email: address() };
    const first = await admitted(postern, idJag(who));
    const token = await exchange(postern, first.identity_assertion);
    const { body: keyed } = await presentV01(postern, idJag(who), "api_key");
    await takeBack(who.sub);
    const step = await asked(postern, idJag(who));
    assert.equal((await straight(postern, idJag(who))).body.error, "invalid_grant");
    const dead = async (when) => {
      assert.equal(await exchangeable(postern, first.identity_assertion), 400, when);
      assert.deepEqual([await call(postern.issuer, token.access_token), await call(postern.issuer, keyed.credential)], [401, 401], `access token and API key ${when}`);
    };
    await dead("while the person is asked");
    const browser = await new Browser(postern).signIn(who.email);
    const done = await confirmRelay(postern, browser, step);
    assert.equal(done.id, first.id, "the same registration");
    await dead("after the person has confirmed");
    assert.equal((await admitted(postern, idJag(who))).id, first.id);
    await dead("after the next assertion");
    await exchange(postern, done.identity.assertion);
  });

  test("a claim that waits: page, codes and polls are over (72, 77, 102)", async () => {
    const email = address();
    const [who, browser] = [{ sub: randomUUID(), email }, await new Browser(postern).signIn(email)];
    const step = await asked(postern, idJag(who));
    await browser.open(page(step.claim.verification_uri));
    await takeBack(who.sub);
    await browser.submit("/agent/identity/claim/complete", { user_code: step.claim.user_code });
    assert.ok(browser.status >= 400, browser.html);
    assert.equal((await poll(postern, step.claim_token)).body.error, "expired_token");
    const again = await start(postern, { type: "login_hint", claim_token: step.claim_token, login_hint: email });
    assert.deepEqual([again.status, again.body.error], [410, "claim_expired"], again.text);
    await confirmTyped(postern, browser, await asked(postern, idJag(who)));
  });

  test("a claim between the person's click and the agent's code (72, 77)", async () => {
    const email = address();
    const [who, browser] = [{ sub: randomUUID(), email }, await new Browser(postern).signIn(email)];
    const step = await asked(postern, idJag(who));
    await browser.open(page(step.claim.verification_uri));
    await browser.submit("/claim/code");
    const code = /class="shown"[^>]*><span>(\d+)<\/span><span>(\d+)<\/span>/.exec(browser.html).slice(1).join("");
    await takeBack(who.sub);
    const done = await read(postern.json("/agent/identity/claim/complete", { claim_token: step.claim_token, user_code: code }));
    assert.equal(done.status, 410, done.text);
    await asked(postern, idJag(who));
  });

  test("an answer that waits to be picked up, and one that was and could be picked up again (72, 28)", async () => {
    for (const first of [false, true]) {
      const email = address();
      const [who, browser] = [{ sub: randomUUID(), email }, await new Browser(postern).signIn(email)];
      const step = await asked(postern, idJag(who));
      await confirm(browser, step.claim);
      if (first) assert.equal((await poll(postern, step.claim_token)).status, 200);
      await takeBack(who.sub);
      assert.equal((await poll(postern, step.claim_token)).body.error, "expired_token");
    }
  });

  test("an anonymous registration that the subject's ID-JAG has claimed; and a waiting claim of one (72, 1.7)", async () => {
    const who = { sub: randomUUID(), email: address() };
    const agent = await register(postern);
    const claimed = await claimBy(postern, agent.claim_token, idJag(who));
    const token = await exchange(postern, claimed.body.identity_assertion);
    const browser = await new Browser(postern).signIn(who.email);
    const waiting = await register(postern);
    const spare = { sub: randomUUID(), email: who.email };
    const step = await claimBy(postern, waiting.claim_token, idJag(spare));
    assert.equal(step.body.status, "initiated", step.text);
    await takeBack(who.sub);
    assert.equal(await call(postern.issuer, token.access_token), 401);
    assert.equal(await exchangeable(postern, claimed.body.identity_assertion), 400);
    await takeBack(spare.sub);
    await browser.open(page(step.body.claim_attempt.verification_uri));
    assert.ok(!/user_code/.test(browser.html), "the provider has taken back the word that the attempt stands on");
    assert.notEqual((await poll(postern, waiting.claim_token)).status, 200);
  });

  test("when the provider has another address for the person afterwards, that person is asked (72, 60)", async () => {
    const { who, got } = await met();
    const { body: keyed } = await presentV01(postern, idJag(who), "api_key");
    await takeBack(who.sub);
    const email = address();
    const browser = await new Browser(postern).signIn(email);
    const step = await asked(postern, idJag({ ...who, email }));
    await confirmTyped(postern, browser, step);
    for (const token of [got.access_token, keyed.credential]) assert.equal(await call(postern.issuer, token), 401, "what the former person's agent had is not the new one's");
  });
});

describe("what does not", () => {
  test("another subject, another provider with the same subject, the person's other agents (101, 72)", async () => {
    const { who, email, browser, got } = await met();
    const lives = [];
    const add = async (name, assertion) => lives.push([name, assertion, (await exchange(postern, assertion)).access_token]);
    const sibling = { sub: randomUUID(), email };
    await add("the person's other subject", (await confirmTyped(postern, browser, await asked(postern, idJag(sibling)))).identity_assertion);
    await add("the other provider, same subject", (await confirmTyped(postern, browser, await asked(postern, idJag(who, other)))).identity_assertion);
    await add("a stranger", (await admitted(postern, idJag({ sub: `${who.sub}x`, email: address() }))).identity_assertion);
    await add("an anonymous agent", (await register(postern)).identity_assertion);
    const own = await register(postern);
    const { body } = await start(postern, { claim_token: own.claim_token, login_hint: email });
    await confirm(browser, body.claim_attempt);
    await add("an agent that the person claimed without a provider", (await poll(postern, own.claim_token)).body.identity_assertion);
    const pending = await asked(postern, idJag({ sub: randomUUID(), email }));
    for (const sub of [who.sub, who.sub.toUpperCase(), ` ${who.sub}`, `${provider.issuer}|${who.sub}`, email, own.id]) await takeBack(sub);
    assert.equal(await exchangeable(postern, got.identity_assertion), 400);
    for (const [name, assertion, token] of lives) {
      assert.equal(await exchangeable(postern, assertion), 200, name);
      assert.equal(await call(postern.issuer, token), 200, name);
    }
    await confirmTyped(postern, browser, pending);
    await browser.open("/account");
    assert.equal(browser.status, 200, "the person is still signed in");
    await admitted(postern, idJag(sibling));
    await admitted(postern, idJag(who, other));
    await asked(postern, idJag(who));
  });
});

describe("how soon", () => {
  test("felt on a second isolate that had just trusted the token, within a second or so (72, 105)", async (t) => {
    const lags = [];
    for (let round = 0; round < Math.max(3, ROUNDS); round += 1) {
      const who = { sub: randomUUID(), email: address() };
      const { identity_assertion } = await admitted(postern, idJag(who));
      const { access_token } = await exchange(postern, identity_assertion);
      const { body: keyed } = await presentV01(postern, idJag(who), "api_key");
      const [here, there] = round % 2 ? [second, postern.issuer] : [postern.issuer, second];
      for (const base of [here, there]) for (const token of [access_token, keyed.credential]) assert.equal(await call(base, token), 200);
      await takeBack(who.sub, provider, { base: here });
      assert.deepEqual([await call(here, access_token), await call(here, keyed.credential)], [401, 401], "at once where it came in");
      for (const token of [access_token, keyed.credential]) lags.push(await until(async () => (await call(there, token)) === 401, 5000, 20));
      const exchanged = await read(fetch(`${there}/oauth2/token`, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: identity_assertion }).toString() }));
      assert.equal(exchanged.body.error, "invalid_grant");
    }
    t.diagnostic(`felt after ${Math.max(...lags)} ms at most`);
  });

  test("at once with new assertions, tokens and a confirmation: whatever was let in before it came is dead after it (72)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const who = { sub: randomUUID(), email: address() };
      const { identity_assertion } = await admitted(postern, idJag(who));
      const shown = Array.from({ length: 8 }, () => idJag(who));
      const [, ...answers] = await Promise.all([takeBack(who.sub), ...shown.map((token, index) => present(postern, token, index % 2 ? { base: second, headers: { "cf-connecting-ip": `10.80.${round % 250}.${index}` } } : {}))]);
      assert.equal(await exchangeable(postern, identity_assertion), 400);
      for (const got of answers) {
        assert.ok([200, 401, 503].includes(got.status), got.text);
        if (got.status === 200) assert.equal(await exchangeable(postern, got.body.identity_assertion), 400, "somebody was let in after the provider took it back");
      }
      await asked(postern, idJag(who));
    }
  });

  test("one event pushed a hundred times at once at two isolates is acknowledged each time; of logout tokens one counts (71, 99)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const [one, two] = [{ sub: randomUUID(), email: address() }, { sub: randomUUID(), email: address() }];
      const agents = [await admitted(postern, idJag(one)), await admitted(postern, idJag(two))];
      const [event, logout] = [provider.event(postern, { sub: one.sub }), provider.logout(postern, { sub: two.sub })];
      const base = (index) => (index % 2 ? postern.issuer : second);
      const events = await Promise.all(Array.from({ length: 100 }, (_, index) => push(postern, event, { base: base(index) })));
      assert.ok(events.every(({ status, text }) => status === 202 && text === ""), events.map(({ status }) => status).join());
      const logouts = await Promise.all(Array.from({ length: 100 }, (_, index) => pushV01(postern, logout, { base: base(index) })));
      assert.equal(logouts.filter(({ status }) => status === 200).length, 1, logouts.map(({ status, body }) => `${status} ${body?.error ?? ""}`).join());
      for (const { identity_assertion } of agents) assert.equal(await exchangeable(postern, identity_assertion), 400);
    }
  });
});
