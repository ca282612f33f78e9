// What the owner of a vouched agent takes back on the account page.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call } from "./support/agent.mjs";
import { read } from "./support/answers.mjs";
import { Browser } from "./support/person.mjs";
import { ROUNDS, deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { admitted, asked, confirmTyped, exchangeable, present, straight } from "./support/vouched.mjs";

let postern, provider;
before(async () => {
  provider = await provide();
  postern = await deploy({ vars: { ...trusting(provider), MAILS_PER_HOUR: "100000" } });
});
after(() => Promise.all([postern.stop(), provider.stop()]));

const address = () => `${randomUUID()}@example.com`;
const idJag = (who) => provider.idJag(postern, who);
const refresh = (value) => read(postern.json("/agent/identity", { type: "refresh", refresh_token: value }));
/** A person with an account, and an agent of theirs that they have confirmed. */
async function met() {
  const email = address();
  const who = { sub: randomUUID(), email };
  const browser = await new Browser(postern).signIn(email);
  const got = await confirmTyped(postern, browser, await asked(postern, idJag(who)));
  return { who, email, browser, got };
}

describe("the owner", () => {
  /** Presses the button on the account page: for one agent, or for all. */
  const revoke = async (browser, registration) => {
    await browser.open("/account");
    const csrf = /name="csrf" value="([^"]+)"/.exec(browser.html)[1];
    await browser.post(registration ? "/account/agents/revoke" : "/account/agents/revoke-all", { csrf, ...(registration ? { registration } : {}) });
    assert.equal(browser.status, 303, browser.html);
  };

  test("takes the agent back: all that it had is dead, and its next assertion asks (C17, 72)", async () => {
    const { who, browser, got } = await met();
    const registration = (await admitted(postern, idJag(who))).id;
    await revoke(browser, registration);
    assert.equal(await call(postern.issuer, got.access_token), 401);
    assert.equal(await exchangeable(postern, got.identity_assertion), 400);
    assert.equal((await refresh(got.identity.refresh_token.value)).body.error, "invalid_refresh_token");
    const step = await asked(postern, idJag(who));
    await confirmTyped(postern, browser, step);
    assert.equal(await exchangeable(postern, got.identity_assertion), 400, "what was before stays dead");
    await admitted(postern, idJag(who));
  });

  test("is obeyed at once: an assertion that comes with the very answer asks too (C17)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const who = { sub: randomUUID(), email: address() };
      const browser = await new Browser(postern).signIn(who.email);
      await confirmTyped(postern, browser, await asked(postern, idJag(who)));
      const { id } = await admitted(postern, idJag(who));
      const [token, direct] = [idJag(who), idJag(who)];
      await revoke(browser, id);
      const [one, two] = await Promise.all([present(postern, token), straight(postern, direct)]);
      assert.deepEqual([one.status, two.status], [401, 400], `${one.text} ${two.text}`);
    }
  });

  test("of all agents at once, too; other people's stay (C17)", async () => {
    const [{ who, browser, got }, somebody] = [await met(), await met()];
    await revoke(browser);
    assert.equal(await call(postern.issuer, got.access_token), 401);
    assert.equal(await call(postern.issuer, somebody.got.access_token), 200);
    await asked(postern, idJag(who));
    await admitted(postern, idJag(somebody.who));
  });
});
