// The takeover by a stale word of a provider, and what else an attacker could try with one of their own.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call, register } from "./support/agent.mjs";
import { ok } from "./support/answers.mjs";
import { complete, page, poll, start } from "./support/claim.mjs";
import { Browser, codeOn } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { asked, claimBy, confirm, exchangeable, push, refusedWith } from "./support/vouched.mjs";

let postern, provider;
before(async () => {
  provider = await provide({ name: "Example Agents" });
  postern = await deploy({ vars: { ...trusting(provider), MAILS_PER_HOUR: "100000" } });
});
after(() => Promise.all([postern.stop(), provider.stop()]));

const address = () => `${randomUUID()}@example.com`;
const idJag = (who) => provider.idJag(postern, who);
const signedIn = (email = address()) => new Browser(postern).signIn(email);
/** Somebody with an account, and what their provider says. */
async function met() {
  const email = address();
  return { email, browser: await signedIn(email), who: { sub: randomUUID(), email } };
}
/** The claim by ID-JAG of an anonymous agent that waits for the matched person. */
async function waiting(who) {
  const agent = await register(postern);
  const step = await claimBy(postern, agent.claim_token, idJag(who));
  assert.deepEqual([step.status, step.body.status], [200, "initiated"], step.text);
  return { agent, attempt: step.body.claim_attempt, step: step.body };
}
const claimed = async (browser, id) => (await browser.open("/account")).html.includes(id);

describe("takeover by a stale word of a provider (62, C16, 1.12 1)", () => {
  for (const type of ["login_hint", "service_auth", undefined]) {
    test(`by ${type ?? "a bare hint"}: the victim's confirmation links nothing, and the page vouches for nobody`, async () => {
      const [attacker, victim] = [await met(), await met()];
      const { agent } = await waiting(attacker.who);
      const { body, text, status } = await start(postern, { type, claim_token: agent.claim_token, login_hint: victim.email });
      assert.equal(status, 200, text);
      const uri = body.attempt.verification_uri;
      await victim.browser.open(page(uri));
      assert.equal(victim.browser.status, 200, victim.browser.html);
      assert.ok(!victim.browser.html.includes("Example Agents") && !victim.browser.html.includes(provider.issuer), "no word is bound, so no provider is named");
      if (type === "service_auth") {
        await victim.browser.submit("/claim/code");
        assert.equal((await complete(postern, agent.claim_token, codeOn(victim.browser.html))).status, 200);
      } else {
        await victim.browser.submit("/agent/identity/claim/complete", { user_code: body.claim_attempt.user_code });
        assert.match(victim.browser.html, /Approved/);
        assert.equal((await poll(postern, agent.claim_token)).status, 200);
      }
      // The attacker's assertions still mean the attacker: they must be asked, and the victim cannot answer.
      const later = await asked(postern, idJag(attacker.who));
      await victim.browser.open(page(later.claim.verification_uri));
      assert.equal(victim.browser.status, 403);
      // And what the attacker's provider takes back is not the victim's agent.
      const before = (await victim.browser.open("/account")).html.includes(agent.id);
      assert.ok(before, "the agent itself is the victim's, as the page said");
      assert.equal((await push(postern, provider.event(postern, { sub: attacker.who.sub }))).status, 202);
      await asked(postern, idJag(attacker.who));
    });
  }

  test("the attacker's provider does not end what the victim has claimed since (101, C16)", async () => {
    const [attacker, victim] = [await met(), await met()];
    const { agent } = await waiting(attacker.who);
    const { body } = await start(postern, { claim_token: agent.claim_token, login_hint: victim.email });
    await confirm(victim.browser, body.claim_attempt);
    const got = await poll(postern, agent.claim_token);
    assert.equal((await push(postern, provider.event(postern, { sub: attacker.who.sub }))).status, 202);
    assert.equal(await call(postern.issuer, got.body.access_token), 200);
    assert.equal(await exchangeable(postern, got.body.identity_assertion), 200);
  });

  test("the reverse: an attempt with a hint cannot be given a provider's word afterwards", async () => {
    const [attacker, victim] = [await met(), await met()];
    const agent = await register(postern);
    const { body } = await start(postern, { claim_token: agent.claim_token, login_hint: victim.email });
    await refusedWith(claimBy(postern, agent.claim_token, idJag(attacker.who)), 409, "ceremony_in_flight");
    await refusedWith(claimBy(postern, agent.claim_token, idJag({ ...attacker.who, email: victim.email })), 409, "ceremony_in_flight");
    await confirm(victim.browser, body.claim_attempt);
    await asked(postern, idJag(attacker.who));
  });

  test("a provider that names the victim's address: the victim is asked, and the page says who (62)", async () => {
    const victim = await met();
    const agent = await register(postern);
    const lie = { sub: randomUUID(), email: victim.email };
    const step = await claimBy(postern, agent.claim_token, idJag(lie));
    await victim.browser.open(page(step.body.claim_attempt.verification_uri));
    assert.match(victim.browser.html, /Example Agents/);
    await victim.browser.submit("/claim/deny");
    await asked(postern, idJag(lie));
    assert.ok(!(await claimed(victim.browser, agent.id)));
  });
});
