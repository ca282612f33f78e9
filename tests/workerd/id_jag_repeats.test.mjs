// Assertions that come again while a person is asked, and people who are gone.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange } from "./support/agent.mjs";
import { bearer, ok, read } from "./support/answers.mjs";
import { complete, page, poll, start } from "./support/claim.mjs";
import { Browser } from "./support/person.mjs";
import { OPERATOR_KEY, ROUNDS, deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { admitted, asked, confirm, confirmTyped, exchangeable, present, presentV01, refusedWith, straight } from "./support/vouched.mjs";

let postern, provider, other;
before(async () => {
  [provider, other] = [await provide(), await provide({ name: "Other Agents" })];
  postern = await deploy({ vars: { ...trusting(provider, other), MAILS_PER_HOUR: "100000" } });
});
after(() => Promise.all([postern.stop(), provider.stop(), other.stop()]));

const address = () => `${randomUUID()}@example.com`;
const idJag = (who, from = provider) => from.idJag(postern, who);
const operator = (path, body) => ok(postern.json(`/operator/${path}`, body, bearer(OPERATOR_KEY)));
/** A person with an account, signed in, and an agent of theirs at the provider that nobody has confirmed yet. */
async function met() {
  const email = address();
  const browser = await new Browser(postern).signIn(email);
  return { email, browser, who: { sub: randomUUID(), email } };
}

describe("repeats", () => {
  test("the same registration, new secrets; the old claim token, page and codes are dead (60)", async () => {
    const { browser, who } = await met();
    const [old, step] = [await asked(postern, idJag(who)), await asked(postern, idJag(who))];
    assert.equal(step.id, old.id);
    for (const name of ["token", "verification_uri"]) assert.notEqual(step.claim[name], old.claim[name]);
    assert.equal((await poll(postern, old.claim_token)).body.error, "expired_token");
    assert.equal((await complete(postern, old.claim_token, old.claim.user_code)).body.error, "invalid_claim");
    await browser.open(page(old.claim.verification_uri));
    assert.equal(browser.status, 404, browser.html);
    await refusedWith(start(postern, { type: "login_hint", claim_token: old.claim_token, login_hint: who.email }), 401, "invalid_claim_token");
    await confirmTyped(postern, browser, step);
  });

  test("before anybody has confirmed, nothing can be exchanged (69)", async () => {
    const { who } = await met();
    const step = await asked(postern, idJag(who));
    assert.equal((await poll(postern, step.claim_token)).body.error, "authorization_pending");
    await refusedWith(straight(postern, idJag(who)), 400, "invalid_grant");
    assert.ok(step.id);
  });

  test("one that comes just after the person has confirmed is let in at once (61)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { browser, who } = await met();
      const step = await asked(postern, idJag(who));
      const waiting = Array.from({ length: 3 }, () => idJag(who));
      await confirm(browser, step.claim);
      for (const got of await Promise.all(waiting.map((token) => present(postern, token)))) assert.deepEqual([got.status, got.body.id], [200, step.id], got.text);
      assert.equal((await poll(postern, step.claim_token)).status, 200, "and the agent that asked gets its answer too");
    }
  });

  test("at once with the confirmation: clean or asked again, never half of it (61)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { browser, who } = await met();
      const step = await asked(postern, idJag(who));
      await browser.open(page(step.claim.verification_uri));
      const token = idJag(who);
      const [, got] = await Promise.all([browser.submit("/agent/identity/claim/complete", { user_code: step.claim.user_code }), present(postern, token)]);
      assert.ok([200, 401].includes(got.status), got.text);
      if (got.status === 200) {
        await exchange(postern, got.body.identity_assertion);
        assert.match(browser.html, /Approved/);
      } else if (/Approved/.test(browser.html)) await admitted(postern, idJag(who));
      else await confirmTyped(postern, browser, got.body);
    }
  });

  test("for another account than before: who was asked is asked no more, and the newly matched one is (60, 66)", async () => {
    const [one, two] = [await met(), await met()];
    const old = await asked(postern, idJag(one.who));
    const step = await asked(postern, idJag({ ...one.who, email: two.email }));
    assert.equal(step.id, old.id);
    await one.browser.open(page(old.claim.verification_uri));
    assert.equal(one.browser.status, 404);
    await one.browser.open(page(step.claim.verification_uri));
    assert.equal(one.browser.status, 403);
    await confirmTyped(postern, two.browser, step);
    assert.ok((await two.browser.open("/account")).html.includes(step.id));
    assert.ok(!(await one.browser.open("/account")).html.includes(step.id));
  });

  test("ten an hour for one subject, then 429", async () => {
    const { who } = await met();
    let got;
    for (let times = 0; times < 12; times += 1) {
      got = await present(postern, idJag(who));
      if (got.status !== 401) break;
    }
    assert.deepEqual([got.status, got.body.error], [429, "rate_limited"], got.text);
    assert.ok(Number(got.headers.get("retry-after")) > 0 && got.body.retry_after > 0);
  });
});

describe("people who are gone", () => {
  test("a suspended person's provider is refused, known or not, until the operator resumes them (42)", async () => {
    const { email, browser, who } = await met();
    const got = await confirmTyped(postern, browser, await asked(postern, idJag(who)));
    const pending = await asked(postern, idJag({ ...who, sub: randomUUID() }));
    await operator("people/suspend", { email });
    assert.equal(await call(postern.issuer, got.access_token), 401);
    await refusedWith(present(postern, idJag(who)), 400, "access_denied");
    await refusedWith(present(postern, idJag({ ...who, sub: randomUUID() }, other)), 400, "access_denied");
    await refusedWith(straight(postern, idJag(who)), 400, "invalid_grant");
    assert.equal(await exchangeable(postern, got.identity_assertion), 400);
    const newer = await read(postern.json("/agent/identity", { type: "refresh", refresh_token: got.identity.refresh_token.value }));
    assert.notEqual(newer.status, 200);
    await browser.open(page(pending.claim.verification_uri));
    assert.ok(!/user_code/.test(browser.html));
    await operator("people/resume", { email });
    assert.equal((await admitted(postern, idJag(who))).id, claims(got.access_token).sub);
  });

  test("an erased person is nobody: the next assertion brings one new person, and the tie is mended (42, v0.1 14)", async () => {
    const { email, browser, who } = await met();
    const got = await confirmTyped(postern, browser, await asked(postern, idJag(who)));
    const { body: keyed } = await presentV01(postern, idJag(who), "api_key");
    await operator("people/erase", { email });
    assert.equal(await exchangeable(postern, got.identity_assertion), 400);
    const fresh = await admitted(postern, idJag(who));
    assert.equal(await exchangeable(postern, got.identity_assertion), 400, "what the erased one had stays dead");
    assert.equal(await call(postern.issuer, keyed.credential), 401, "the key too");
    assert.equal((await admitted(postern, idJag(who))).id, fresh.id);
    const again = await new Browser(postern).signIn(email, "/account");
    await again.open("/account");
    assert.ok(again.html.includes(fresh.id), "the new person is one person");
  });
});
