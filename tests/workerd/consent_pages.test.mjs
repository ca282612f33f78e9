// What a person sees when an application asks, in Chromium: on a phone and on a screen, in light and dark, with an accessibility check.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe } from "node:test";
import { launch, press } from "./support/chromium.mjs";
import { LONG, VARS, looking } from "./support/looks.mjs";
import { authorization, consented, register } from "./support/oauth.mjs";
import { deploy } from "./support/postern.mjs";
import { document, published } from "./support/published.mjs";

const EDITOR = "https://editor.example.com/oauth/client.json";
const outside = published({ ...document(EDITOR), ...document("https://liar.example.com/client.json", { client_id: EDITOR }) });
const CLIENTS = JSON.stringify([
  { client_id: "portal", client_name: "The Portal", redirect_uris: ["https://client.example/callback"], client_secret_sha256: createHash("sha256").update("a secret of the portal").digest("hex") },
]);
let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: { ...VARS, CLIENTS }, options: outside.options }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

const looks = looking(() => [browser, postern]);
/** What a part of the page says. */
const fact = async (page, name) => (await page.locator("dl.facts div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd").textContent()).replace(/\s+/g, " ").trim();
const warned = (page) => page.getByText("It runs on your own device").count();

describe("the question", () => {
  looks("consent-document", 200, "document@example.com", async (page) => {
    await page.goto(authorization(EDITOR));
    assert.match(await fact(page, "Application"), /^“Example Editor” its own words, unchecked$/);
    assert.match(await fact(page, "Published by"), /^editor\.example\.com checked/, "the host of the client_id is a fact");
    assert.match(await fact(page, "Sends you to"), /^client\.example ?not a host of its publisher$/);
    assert.equal(await fact(page, "Acts for"), "document@example.com");
    assert.match(await fact(page, "At"), /\/mcp$/);
    for (const words of ["See your projects and files", "Change and delete your projects and files"]) await page.getByText(words).waitFor();
    assert.equal(await warned(page), 0);
  });
  looks("consent-registered", 200, "registered@example.com", async (page) => {
    const { client_id } = await register(postern, { client_name: "Claude Code 2.1.3 (deploy helper)" });
    await page.goto(authorization(client_id));
    assert.match(await fact(page, "Published by"), /^Unknown\. It registered itself\./);
  });
  looks("consent-on-this-device", 200, "loopback@example.com", async (page) => {
    const redirect_uri = "http://127.0.0.1:33418/callback";
    const { client_id } = await register(postern, { client_name: "Terminal", redirect_uris: ["http://127.0.0.1/callback"] });
    await page.goto(authorization(client_id, { redirect_uri }));
    assert.match(await fact(page, "Sends you to"), /^127\.0\.0\.1:33418 ?a program on this device$/);
    assert.equal(await warned(page), 1);
  });
  looks("consent-private-use", 200, "cursor@example.com", async (page) => {
    const redirect_uri = "cursor://anysphere.cursor-mcp/oauth/callback";
    const { client_id } = await register(postern, { client_name: "Cursor", redirect_uris: [redirect_uri] });
    await page.goto(authorization(client_id, { redirect_uri }));
    assert.match(await fact(page, "Sends you to"), /^cursor: ?a program on this device$/);
    assert.equal(await warned(page), 1);
  });
  looks("consent-for-more-than-before", 200, "more@example.com", async (page, person) => {
    const { client_id } = await register(postern, { client_name: "Grows" });
    await consented(person, authorization(client_id, { scope: "api.read" }));
    await page.goto(authorization(client_id, { scope: "api.read api.write" }));
    const items = await page.locator(".scopes li").allTextContents();
    assert.deepEqual(items.map((item) => /allowed before/.test(item)), [true, false], items.join("\n"));
    await page.getByText(/You allowed it something here on \d{4}/).waitFor();
  });
  looks("consent-configured", 200, "configured@example.com", async (page) => {
    await page.goto(authorization("portal", { scope: "openid email profile offline_access api.read" }));
    assert.match(await fact(page, "Application"), /^“The Portal” known to the operator$/);
    assert.match(await fact(page, "Published by"), /^The operator of Example Cloud/);
    for (const words of ["Know who you are", "See your e-mail address"]) await page.getByText(words).waitFor();
  });
  looks("consent-long", 200, LONG, async (page) => {
    const host = `${"a-very-long-label.".repeat(9)}example`;
    const { client_id } = await register(postern, { client_name: "W".repeat(200), redirect_uris: [`https://${host}/callback`] });
    await page.goto(authorization(client_id, { redirect_uri: `https://${host}/callback` }));
    assert.equal(await fact(page, "Sends you to"), host, "the whole host is there to read");
  });
});

describe("what cannot be asked", () => {
  looks("consent-answered-already", 400, "again@example.com", async (page) => {
    const { client_id } = await register(postern);
    await page.goto(authorization(client_id));
    const second = await page.context().newPage();
    await second.setContent("");
    const fields = Object.fromEntries(await page.locator("form[action='/oauth2/authorize/consent'] input").evaluateAll((inputs) => inputs.map(({ name, value }) => [name, value])));
    await second.close();
    const answer = await page.request.post("/oauth2/authorize/consent", { form: { ...fields, answer: "deny" }, headers: { origin: "null", "sec-fetch-site": "same-origin" }, maxRedirects: 0 });
    assert.equal(answer.status(), 303);
    await press(page, "Allow");
    await page.getByRole("heading", { name: "This request is over" }).waitFor();
  });
  looks("rejected-unknown-client", 400, null, async (page) => {
    await page.goto(authorization("an-unknown-client"));
    for (const client of ["Claude Code", "ChatGPT", "Cursor", "VS Code", "mcp-remote"]) await page.getByText(client, { exact: true }).waitFor();
    assert.equal(await fact(page, "It sent"), "an-unknown-client");
    await page.getByText(/^Reference /).waitFor();
  });
  looks("rejected-redirect", 400, "redirect@example.com", async (page) => {
    const { client_id } = await register(postern, { redirect_uris: ["https://client.example/callback", "https://other.client.example/callback"] });
    await page.goto(authorization(client_id, { redirect_uri: `https://client.example.evil.example/callback?${"x".repeat(300)}` }));
    const hosts = page.locator("dl.facts div", { has: page.getByText("Registered are") }).locator("code");
    assert.deepEqual(await hosts.allTextContents(), ["client.example", "other.client.example"], "hosts, and no more than that");
    assert.equal(await page.locator("a[href*=evil]").count(), 0, "and nothing leads there");
    assert.match(await fact(page, "Application"), /^“Client [0-9a-f]{8}” its own words, unchecked$/);
    assert.deepEqual(await page.locator("dl.facts div", { has: page.getByText("Codex", { exact: true }) }).locator("code").allTextContents(), ["codex mcp logout", "codex mcp login"]);
  });
  looks("rejected-another-document", 400, null, async (page) => {
    await page.goto(authorization("https://liar.example.com/client.json"));
    await page.getByText(/^What the application publishes about itself cannot be used\. For whoever makes it: /).waitFor();
  });
  looks("rejected-no-client", 400, null, async (page) => {
    await page.goto(authorization(""));
    await page.getByText("Its request has no client_id. Connect it again; if that does not help, have it forget what it remembers.").waitFor();
  });
  looks("login-for-an-application", 200, null, async (page) => {
    const { client_id } = await register(postern);
    await page.goto(authorization(client_id, { login_hint: "ada@example.com" }));
    await page.getByText("An application asks to act for you. Sign in to see its request.").waitFor();
    assert.equal(await page.getByLabel("E-mail address").inputValue(), "ada@example.com");
  });
});
