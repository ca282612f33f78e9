// /account/keys in Chromium: a person makes an API key, copies it from the one page that shows it, uses it and revokes it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, keyToken, until } from "./support/agent.mjs";
import { launch, look, visit } from "./support/chromium.mjs";
import { VARS } from "./support/looks.mjs";
import { deploy } from "./support/postern.mjs";
import { Browser, forms } from "./support/person.mjs";

let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ isolates: 2, vars: VARS }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

/** What our own API says of a key. */
const me = async (key) => {
  const response = await fetch(`${postern.issuer}/api/v1/auth/me`, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, body: await response.json() };
};

test("a person makes an API key, uses it, and revokes it (issue 5)", async () => {
  const person = await new Browser(postern).signIn("maker@example.com");
  const context = await visit(browser, postern, { cookies: person.cookies });
  const page = await context.newPage();
  await page.goto("/account");
  assert.match(await page.locator("section", { has: page.getByRole("heading", { name: "Your API keys" }) }).textContent(), /None\./);
  await page.getByRole("link", { name: "Make an API key" }).click();
  await page.waitForURL("**/account/keys");
  assert.deepEqual(await look(page, "key-new"), []);
  await page.getByLabel("Name", { exact: true }).fill("Backup on my server");
  await page.getByLabel("Expires").selectOption({ label: "In 30 days" });
  await page.getByLabel("api.write").uncheck();
  await page.getByLabel("api.read").check();
  await page.getByLabel("agents.read").check();
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByRole("heading", { name: "Copy your API key now" }).waitFor();
  assert.deepEqual(await look(page, "key-made"), []);
  const key = await page.getByLabel(/^API key/).inputValue();
  assert.match(key, /^\w+_[0-9A-Za-z]{33}_[0-9A-Za-z]{49}$/);
  assert.ok(!page.url().includes(key), "no address has it");

  const { status, body } = await me(key);
  assert.equal(status, 200);
  assert.deepEqual([body.registration_type, body.status, body.scopes, body.management_scopes], ["personal", "claimed", ["api.read"], ["agents.read"]]);
  const left = (Date.parse(body.expires_at) - Date.now()) / 86_400_000;
  assert.ok(left > 29.9 && left <= 30, body.expires_at);
  const { access_token: token } = await keyToken(postern, key);
  assert.equal(await call(postern.issuer, token), 200);

  await page.getByRole("link", { name: "I have copied it" }).click();
  await page.waitForURL("**/account");
  assert.ok(!(await page.content()).includes(key), "it is not shown again");
  const keys = page.locator("section", { has: page.getByRole("heading", { name: "Your API keys" }) });
  assert.match(await keys.textContent(), /Backup on my server[\s\S]*expires \d{4}-[\s\S]*See your projects and files \(api\.read\)/);
  assert.deepEqual(await look(page, "account-key"), []);
  await keys.getByRole("link", { name: /^Agents below it/ }).click();
  await page.waitForURL("**/account/agent?id=*");
  assert.match(await page.getByRole("heading", { level: 1 }).textContent(), /Backup on my server/);
  assert.deepEqual(await look(page, "agent-alone"), []);
  await page.goto("/account");
  await keys.locator("summary").click();
  await page.getByRole("button", { name: "Yes, revoke it" }).click();
  await page.getByText("The key is revoked").waitFor();
  assert.deepEqual([await call(postern.issuer, key), await call(postern.issuer, token)], [401, 401]);
  await until(async () => (await call(await postern.second(), key)) === 401, 3000);
  await until(async () => /None\./.test(await (await page.goto("/account"), keys).textContent()));
  assert.match(await page.content(), /You revoked an API key/);
  assert.deepEqual(context.faults, []);
  await context.close();
});

test("without a name or a right nothing is made, and the page says what is missing (issue 5)", async () => {
  const person = await new Browser(postern).signIn("misses@example.com");
  const context = await visit(browser, postern, { cookies: person.cookies });
  const page = await context.newPage();
  await page.goto("/account/keys");
  await page.getByLabel("Name", { exact: true }).fill("Nothing");
  await page.getByLabel("api.read").uncheck();
  await page.getByRole("button", { name: "Make the key" }).click();
  await page.getByRole("alert").waitFor();
  assert.match(await page.getByRole("alert").textContent(), /Choose at least one thing/);
  assert.match(await page.title(), /^Error: /);
  assert.deepEqual(await look(page, "key-new-problem"), []);
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Nothing");
  assert.deepEqual(context.faults, []);
  await context.close();
});

test("a browser without script makes one too, and nobody else sees or revokes it (issue 5, 113, 114)", async () => {
  const owner = await new Browser(postern).signIn("owner@example.com");
  await owner.open("/account/keys");
  await owner.submit("/account/keys", { name: "Plain" });
  assert.equal(owner.status, 200, owner.html);
  assert.equal(owner.headers.get("cache-control"), "no-store");
  const [, key] = /id="key" value="([^"]*)"/.exec(owner.html);
  assert.equal(await call(postern.issuer, key), 200);
  const { body } = await me(key);
  const thief = await (await new Browser(postern).signIn("thief@example.com")).open("/account");
  const { csrf } = forms(thief.html)["/logout"][0];
  const answers = [];
  for (const registration of [body.registration_id, `${body.registration_id.slice(0, -4)}AAAA`, "x"]) {
    await thief.post("/account/keys/revoke", { csrf, registration });
    answers.push(thief.status);
    await thief.send(`/account/agent?id=${registration}`);
    answers.push(thief.status);
  }
  assert.deepEqual(answers, Array(6).fill(404));
  assert.equal(await call(postern.issuer, key), 200);
  await owner.open("/account");
  await owner.submit("/account/keys/revoke");
  assert.match(owner.html, /The key is revoked/);
  assert.equal(await call(postern.issuer, key), 401);
});
