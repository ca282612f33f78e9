// Tests that look at a page as a person sees it: its status, its headline, what does not fit, what the accessibility check finds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { look, visit } from "./chromium.mjs";
import { Browser } from "./person.mjs";

/** What the pages of these tests are called, and what their scopes mean. */
export const VARS = {
  MAILS_PER_ADDRESS_PER_HOUR: "1000",
  MAILS_PER_HOUR: "100000",
  SERVICE_NAME: "Example Cloud",
  SCOPE_DESCRIPTIONS: JSON.stringify({ "api.read": "See your projects and files", "api.write": "Change and delete your projects and files" }),
};
export const LONG = "a.person.with.quite.a.long.address+and-a-tag@mail.department.example-company.example";

/** A page in a new browser; at its end nothing may have gone wrong in it. `leads` are the beginnings of addresses that it may go to. */
export async function at(browser, postern, { leads = [], ...options }, act) {
  const context = await visit(browser, postern, options);
  try {
    const page = await context.newPage();
    const allowed = (fault) => leads.some((lead) => fault.startsWith(`request to ${lead}`) || fault.startsWith(`failed: ${lead}`));
    const faults = () => context.faults.filter((fault) => !allowed(fault));
    await act(page).catch((error) => assert.fail(`${error.message}\n${faults().join("\n")}`));
    assert.deepEqual(faults(), []);
  } finally {
    await context.close();
  }
}

/** Makes tests that look: `of()` gives browser and deployment, which there are not before the tests run. */
export function looking(of) {
  return (name, status, email, act, options = {}) =>
    test(`looks right: ${name.replaceAll("-", " ")}`, async () => {
      const [browser, postern] = of();
      const person = email ? await new Browser(postern).signIn(email) : new Browser(postern);
      await at(browser, postern, { cookies: person.cookies, ...options }, async (page) => {
        const seen = [];
        page.on("response", (response) => response.request().isNavigationRequest() && seen.push(response.status()));
        await act(page, person);
        await page.waitForLoadState("load");
        assert.equal(seen.at(-1), status, `${name}: ${seen}`);
        assert.match(await page.title(), /\S+ · Example Cloud$/, "the title says what it is");
        assert.equal(await page.locator("h1").count(), 1);
        assert.deepEqual(await look(page, name), [], name);
      });
    });
}

/** Where the focus is. */
export const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const label = (element.labels?.[0] ?? element).textContent.trim().replace(/\s+/g, " ");
    return { label, tag: element.tagName, marked: outlineStyle !== "none" && parseFloat(outlineWidth) > 0, inView: box.bottom > 0 && box.top < innerHeight && box.width > 0 };
  });

/** Tabs to what is called so, and sees on the way that the focus shows; what was passed. */
export async function tabTo(page, label) {
  const passed = [];
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    const here = await focused(page);
    if (here.tag !== "BODY") assert.ok(here.marked && here.inView, `the focus shows on ${here.label}`);
    passed.push(here.label);
    if (label.test(here.label)) return passed;
  }
  return assert.fail(`nothing called ${label} among ${passed.join(" | ")}`);
}
