// /account with connected applications, in Chromium: what is said of them, and disconnecting one.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { until } from "./support/agent.mjs";
import { launch, press } from "./support/chromium.mjs";
import { LONG, VARS, at, looking, tabTo } from "./support/looks.mjs";
import { REDIRECT, authorization, call, connected, consented, person, refresh, register } from "./support/oauth.mjs";
import { deploy } from "./support/postern.mjs";
import { forms } from "./support/person.mjs";
import { document, published } from "./support/published.mjs";

const EDITOR = "https://editor.example.com/oauth/client.json";
const outside = published(document(EDITOR));
const CLIENTS = JSON.stringify([{ client_id: "portal", client_name: "The Portal", redirect_uris: [REDIRECT], client_secret_sha256: createHash("sha256").update("a secret of the portal").digest("hex") }]);
let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: { ...VARS, CLIENTS }, options: outside.options, isolates: 2 }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

const looks = looking(() => [browser, postern]);
const entry = (page, name) => page.locator("section[aria-labelledby=clients] li", { hasText: name });

/** Connects one of each kind. */
async function connect(who) {
  await connected(postern, who, { client_id: EDITOR });
  await connected(postern, who, await register(postern, { client_name: "Claude Code 2.1.3 (deploy helper)" }));
  const { client_id } = await register(postern, { client_name: "W".repeat(200) });
  await consented(who, authorization(client_id));
  await consented(who, authorization("portal", { scope: "openid email api.read", resource: `${postern.issuer}/api/v1` }));
}

describe("the account page", () => {
  looks("account-clients", 200, LONG, async (page, who) => {
    await connect(who);
    await page.goto("/account");
    await entry(page, "Example Editor").getByText("Published by editor.example.com").waitFor();
    await entry(page, "Claude Code").getByText("Registered here").waitFor();
    assert.match(await entry(page, "Example Editor").textContent(), /May: api\.read, api\.write|See your projects/);
    assert.match(await entry(page, "Portal").textContent(), /At: .*\/api\/v1/);
    // A client that the operator wrote down has not registered by itself.
    await entry(page, "Portal").getByText("Known to the operator").waitFor();
    assert.ok(!/its own words|Registered here/.test(await entry(page, "Portal").textContent()));
  });
  looks("account-clients-asking", 200, "asking@example.com", async (page, who) => {
    await connect(who);
    await page.goto("/account");
    for (const summary of await page.locator("summary").all()) await summary.click();
  });
  looks("account-clients-ended", 200, "ended@example.com", async (page, who) => {
    await connect(who);
    await page.goto("/account");
    await entry(page, "Example Editor").locator("summary").click();
    await press(page, "Yes, disconnect it");
    await page.getByText("The application is disconnected").waitFor();
    assert.equal(await entry(page, "Example Editor").getByText("ended", { exact: true }).count(), 1);
    await page.getByText("You disconnected an application “Example Editor”").waitFor();
    assert.equal(await entry(page, "Example Editor").locator("summary").count(), 0, "it cannot be ended twice");
  });
});

test("an application is disconnected by keyboard alone; what it was given is dead, and the others go on", async () => {
  const who = await person(postern, "keys@example.com");
  const [out, stays] = [await register(postern, { client_name: "Out" }), await register(postern, { client_name: "Stays" })];
  const [lost, kept] = [await connected(postern, who, out), await connected(postern, who, stays)];
  await at(browser, postern, { cookies: who.cookies }, async (page) => {
    await page.goto("/account");
    await tabTo(page, /^Disconnect.* Out$/);
    await page.keyboard.press("Enter");
    await tabTo(page, /^Yes, disconnect it$/);
    await page.keyboard.press("Enter");
    await page.getByText("The application is disconnected").waitFor();
  });
  assert.equal(await call(postern, lost.access_token), 401);
  assert.equal((await refresh(postern, out, lost.refresh_token)).body.error, "invalid_grant");
  await until(async () => (await call(postern, lost.access_token, await postern.second())) === 401, 3000);
  assert.equal(await call(postern, kept.access_token), 200);
  assert.equal((await refresh(postern, stays, kept.refresh_token)).status, 200);
  await who.send(authorization(out.client_id));
  assert.equal(who.status, 200, "the consent is gone with it");
  assert.equal((await who.send(authorization(stays.client_id))).status, 302);
});

test("nobody disconnects another person's application, by another site's form or by knowing its name", async () => {
  const [who, thief] = [await person(postern, "owner@example.com"), await person(postern, "thief@example.com")];
  const client = await register(postern);
  const { access_token } = await connected(postern, who, client);
  await who.open("/account");
  const fields = forms(who.html)["/account/clients/revoke"][0];
  await who.post("/account/clients/revoke", fields, { origin: "https://evil.example", "sec-fetch-site": "cross-site" });
  assert.equal(who.status, 403);
  const { csrf } = forms((await thief.open("/account")).html)["/logout"][0];
  for (const grant of [fields.grant, "", "x", `${fields.grant}x`]) {
    await thief.post("/account/clients/revoke", { csrf, grant });
    assert.equal(thief.status, 404, grant);
  }
  assert.equal(await call(postern, access_token), 200);
});

test("what an application calls itself is cleaned, escaped and quoted, on every page that names it", async () => {
  const who = await person(postern, "names@example.com");
  for (const client_name of ["<script>alert(1)</script>", "\u202eevil\u2066x\u2069\u200b", "\"'><img src=x onerror=alert(1)>", "a\r\nb\u0007c", "x".repeat(3000)]) {
    const { client_id } = await register(postern, { client_name });
    await who.send(authorization(client_id));
    const pages = [who.html];
    await who.submit("/oauth2/authorize/consent", { answer: "allow" }, { follow: false });
    pages.push((await who.open("/account")).html, (await who.send(`/oauth2/logout?client_id=${client_id}`)).html);
    for (const html of pages) {
      assert.ok(!/<script>alert|<img src=x/.test(html), client_name);
      assert.ok(!/[\u202a-\u202e\u2066-\u2069\u200b\u0000\u0007]/.test(html), JSON.stringify(client_name));
      assert.ok(!html.includes("x".repeat(201)), "its length has an end");
      assert.match(html, /“<bdi>[^<]*<\/bdi>”/);
    }
  }
});
