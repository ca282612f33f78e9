// A step-up that nobody answers lapses. This file waits for a minute, the least life of a registration.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { call, exchange, sleep } from "./support/agent.mjs";
import { read } from "./support/answers.mjs";
import { page, poll, start } from "./support/claim.mjs";
import { Browser } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { asked, confirmTyped, exchangeable, present, presentV01, push } from "./support/vouched.mjs";

let postern, provider;
before(async () => {
  provider = await provide();
  postern = await deploy({ vars: { ...trusting(provider), UNCLAIMED_REGISTRATION_TTL: "60", ASSERTION_TTL: "3600" } });
});
after(() => Promise.all([postern.stop(), provider.stop()]));

const idJag = (who) => provider.idJag(postern, who);
async function met() {
  const email = `${randomUUID()}@example.com`;
  return { email, browser: await new Browser(postern).signIn(email), who: { sub: randomUUID(), email } };
}

test("a lapsed step-up is over and may begin anew; what an earlier owner had stays dead through it all (56, 72, C17)", async (t) => {
  const [one, two] = [await met(), await met()];
  // One of them waits; the other was confirmed, taken back, and waits again.
  const waiting = await asked(postern, idJag(one.who));
  const got = await confirmTyped(postern, two.browser, await asked(postern, idJag(two.who)));
  const { access_token } = await exchange(postern, got.identity_assertion);
  const { body: keyed } = await presentV01(postern, idJag(two.who), "api_key");
  assert.equal((await push(postern, provider.event(postern, { sub: two.who.sub }))).status, 202);
  const again = await asked(postern, idJag(two.who));
  await sleep(61_500);

  await t.test("the lapsed one is over", async () => {
    assert.equal((await poll(postern, waiting.claim_token)).body.error, "expired_token");
    const restarted = await start(postern, { type: "login_hint", claim_token: waiting.claim_token, login_hint: one.email });
    assert.ok([401, 410].includes(restarted.status), restarted.text);
    await one.browser.open(page(waiting.claim.verification_uri));
    assert.ok(one.browser.status >= 400 && !/user_code/.test(one.browser.html));
    const step = await asked(postern, idJag(one.who));
    assert.equal(step.id, waiting.id);
    await confirmTyped(postern, one.browser, step);
    assert.equal((await present(postern, idJag(one.who))).status, 200);
  });

  await t.test("the old identity does not come back", async () => {
    const dead = async (when) => {
      assert.equal(await exchangeable(postern, got.identity_assertion), 400, `assertion ${when}`);
      assert.equal(await call(postern.issuer, access_token), 401, `access token ${when}`);
      assert.equal(await call(postern.issuer, keyed.credential), 401, `API key ${when}`);
      const renewed = await read(postern.json("/agent/identity", { type: "refresh", refresh_token: got.identity.refresh_token.value }));
      assert.equal(renewed.body.error, "invalid_refresh_token", `refresh token ${when}`);
    };
    await dead("after the lapse");
    const step = await asked(postern, idJag(two.who));
    assert.equal(step.id, again.id);
    await dead("while the person is asked");
    await confirmTyped(postern, two.browser, step);
    await dead("after the person has confirmed");
    await present(postern, idJag(two.who));
    await dead("after the next assertion");
  });
});
