// /account/agent in Chromium: what others offer to a person's agents, and what those have; accepting, declining, ending.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { claimedRoot } from "./support/agentauth.mjs";
import { launch, press } from "./support/chromium.mjs";
import { LONG, VARS, looking } from "./support/looks.mjs";
import { deploy } from "./support/postern.mjs";
import { Browser, forms } from "./support/person.mjs";

let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: VARS }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

const looks = looking(() => [browser, postern]);
const CONSTRAINTS = { amount: { max: 100 }, currency: { in: ["EUR", "CHF"] }, resource_prefix: "/invoices", time_window: { start: "08:00", end: "18:00", days: ["mon", "fri"] } };

/** An agent of somebody else's offers something to an agent of `email`'s. */
async function offered(email, fields = {}) {
  const [giver, taker] = [await claimedRoot(postern, `giver-${Math.random()}@example.com`), await claimedRoot(postern, email)];
  return { giver, taker, delegation: await giver.key.createDelegation({ delegate_agent_id: taker.id, scopes: ["api.read"], ...fields }) };
}

const status = async (agent, id) => (await agent.key.listDelegations({ active_only: false })).data.find((one) => one.id === id)?.status;

describe("the page of an agent", () => {
  looks("delegation-offered", 200, LONG, async (page) => {
    const { taker } = await offered(LONG, { constraints: CONSTRAINTS, expires_in_hours: 1 });
    await page.goto(`/account/agent?id=${taker.id}`);
    const offers = page.locator("section[aria-labelledby=offers]");
    await offers.getByRole("heading", { name: "Offered to them: 1" }).waitFor();
    const text = (await offers.textContent()).replace(/\s+/g, " ");
    for (const words of [/See your projects and files/, /amount is at most 100/, /currency is one of EUR, CHF/, /only below \/invoices/, /only from 08:00, to 18:00, on mon, fri/, /across accounts/]) assert.match(text, words);
  });

  looks("delegation-accepted", 200, "accepts@example.com", async (page) => {
    const { giver, taker, delegation } = await offered("accepts@example.com");
    assert.equal(await status(taker, delegation.id), "pending");
    await page.goto(`/account/agent?id=${taker.id}`);
    await press(page, /^Accept/);
    await page.getByRole("status").waitFor();
    assert.equal(await page.locator("section[aria-labelledby=offers]").count(), 0);
    assert.match(await page.locator("section[aria-labelledby=delegations]").textContent(), new RegExp(delegation.id));
    for (const side of [giver, taker]) assert.equal(await status(side, delegation.id), "active");
  });

  looks("delegation-declined", 200, "declines@example.com", async (page) => {
    const { giver, taker, delegation } = await offered("declines@example.com");
    await page.goto(`/account/agent?id=${taker.id}`);
    await press(page, /^Decline/);
    await page.getByRole("status").waitFor();
    assert.equal(await status(giver, delegation.id), "declined");
    assert.ok(!(await page.content()).includes(delegation.id));
  });

  looks("delegation-ended", 200, "ends@example.com", async (page) => {
    const { giver, taker, delegation } = await offered("ends@example.com");
    await page.goto(`/account/agent?id=${taker.id}`);
    await press(page, /^Accept/);
    const section = page.locator("section[aria-labelledby=delegations]");
    await section.locator("summary").click();
    await press(page, "Yes, end it");
    await page.getByRole("status").waitFor();
    for (const side of [giver, taker]) assert.equal(await status(side, delegation.id), "revoked");
  });

  looks("delegation-pages", 200, "many@example.com", async (page) => {
    const root = await claimedRoot(postern, "many@example.com");
    for (const name of ["one", "two", "three"]) {
      const { data: { id } } = await root.key.createAgent({ name, agent_type: "tool" });
      for (let more = 0; more < 7; more += 1) await root.key.createDelegation({ delegate_agent_id: id, scopes: ["api.read"] });
    }
    await page.goto(`/account/agent?id=${root.id}`);
    const section = page.locator("section[aria-labelledby=delegations]");
    await section.getByRole("heading", { name: /: 21$/ }).waitFor();
    assert.equal(await section.locator(".rows > li").count(), 20);
    await section.getByRole("link", { name: "More delegations" }).click();
    await section.getByRole("link", { name: "First delegations" }).waitFor();
    assert.equal(await section.locator(".rows > li").count(), 1);
    assert.equal(await section.getByRole("link", { name: "More delegations" }).count(), 0);
  });

  test("nobody else answers, with a form of their own or by another site's", async () => {
    const { giver, taker, delegation } = await offered("mine@example.com");
    const thief = await (await new Browser(postern).signIn("thief@example.com")).open("/account");
    const { csrf } = forms(thief.html)["/logout"][0];
    for (const [id, token] of [[taker.id, csrf], [giver.id, csrf], [taker.id, "wrong"]]) {
      await thief.post("/account/agent/delegation", { csrf: token, id, delegation: delegation.id, answer: "accept" });
      assert.ok([403, 404].includes(thief.status), `${thief.status}`);
    }
    assert.equal(await status(giver, delegation.id), "pending");
  });
});
