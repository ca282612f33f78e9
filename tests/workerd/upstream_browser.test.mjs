// Signing in with a provider in Chromium, all the way there and back, with pictures of every page of ours.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, look, visit } from "./support/chromium.mjs";
import { Browser, codeIn, newestMail } from "./support/person.mjs";
import { federation } from "./support/upstream.mjs";

/** The provider's pages ask for these, and ours for nothing. */
const FONTS = "https://fonts.googleapis.com";

let world, postern, id, browser;
before(async () => {
  const started = federation({ "Example ID": {}, "A provider with quite a long name of the department": {} }, { vars: { SERVICE_NAME: "Example Cloud" } });
  [world, browser] = await Promise.all([started, launch()]);
  ({ postern } = world);
  id = world.providers["Example ID"];
});
after(() => Promise.all([world.stop(), browser.close()]));

/** A browser of somebody; at the end nothing may have been asked of anybody but us and the provider. */
async function walk(email, act) {
  const { cookies } = email ? await new Browser(postern).signIn(email) : new Browser(postern);
  const context = await visit(browser, postern, { cookies });
  try {
    await context.route(`${FONTS}/**`, (route) => route.fulfill({ contentType: "text/css", body: "" }));
    const page = await context.newPage();
    await act(page);
    const faults = context.faults.filter((fault) => !fault.includes(id.issuer) && !fault.includes(FONTS) && !/status of 502/.test(fault));
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
  }
}

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const looks = async (page, name) => assert.deepEqual(await look(page, name), [], name);

/** Signs in at the provider and agrees there. */
async function agree(page, login) {
  await page.waitForURL(`${id.issuer}/interaction/**`);
  if (await page.getByPlaceholder("Enter any login").count()) {
    await page.getByPlaceholder("Enter any login").fill(login);
    await page.getByPlaceholder("and password").fill("x");
    await press(page, "Sign-in");
  }
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(`${postern.issuer}/**`);
}

describe("a person in a browser", () => {
  test("goes to the provider and comes back signed in", () =>
    walk(null, async (page) => {
      await page.goto("/login");
      await looks(page, "upstream-login");
      await press(page, "Continue with Example ID");
      await agree(page, "ada");
      await page.waitForURL("**/account");
      assert.match(await page.locator("main").innerText(), /Signed in as ada@example.com/);
      await looks(page, "upstream-account");
    }));

  test("links a provider from the account, and removes it", () =>
    walk("owner@example.com", async (page) => {
      await page.goto("/account");
      await press(page, "Link Example ID");
      await agree(page, "owner");
      await page.waitForURL("**/login/upstream/link?**");
      assert.equal(await page.locator("h1").innerText(), "Sign in with Example ID from now on?");
      await looks(page, "upstream-link");
      await press(page, "Yes, link Example ID");
      await page.waitForURL("**/account?done=linked");
      await looks(page, "upstream-linked");
      const identity = page.getByRole("listitem").filter({ hasText: "owner@example.com" }).filter({ hasText: "Linked" });
      await identity.locator("summary").click();
      await press(page, "Yes, remove it");
      await page.waitForURL("**/account?done=unlinked");
    }));

  test("whose address has an account here first signs in to that", () =>
    walk(null, async (page) => {
      await new Browser(postern).signIn("here@example.com");
      await page.goto("/login");
      await press(page, "Continue with Example ID");
      await agree(page, "here");
      assert.equal(await page.locator("h1").innerText(), "One more step, once");
      await looks(page, "upstream-one-more-step");
      await page.getByRole("link", { name: "Sign in" }).click();
      assert.equal(await page.getByLabel("E-mail address").inputValue(), "here@example.com");
      await press(page, "Mail me a code");
      await page.getByLabel("Code from the mail").fill(codeIn((await newestMail(postern, "here@example.com")).text));
      await press(page, "Sign in");
      await page.waitForURL("**/login/upstream/link?**");
      await press(page, "Yes, link Example ID");
      await page.waitForURL("**/account?done=linked");
    }));

  test("who says no there is told that nothing has changed", () =>
    walk(null, async (page) => {
      await page.goto("/login");
      await press(page, "Continue with Example ID");
      await page.waitForURL(`${id.issuer}/interaction/**`);
      await page.getByRole("link", { name: /Cancel/ }).click();
      await page.waitForURL(`${postern.issuer}/login/upstream/callback?**`);
      assert.equal(await page.locator("h1").innerText(), "You are not signed in");
      await looks(page, "upstream-denied");
      await page.reload();
      assert.equal(await page.locator("h1").innerText(), "This sign-in is over");
      await looks(page, "upstream-over");
    }));

  test("whose provider cannot be relied on is told so", () =>
    walk(null, async (page) => {
      await page.goto("/login");
      await press(page, "Continue with Example ID");
      await page.waitForURL(`${id.issuer}/interaction/**`);
      await page.getByPlaceholder("Enter any login").fill("mallory");
      await page.getByPlaceholder("and password").fill("x");
      id.broken = "/token";
      await press(page, "Sign-in");
      await page.getByRole("button", { name: "Continue" }).click();
      await page.waitForURL(`${postern.issuer}/**`);
      assert.equal(await page.locator("h1").innerText(), "That did not work");
      await looks(page, "upstream-failed");
      id.broken = null;
    }));
});
