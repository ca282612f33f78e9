// What the browser offers by itself on the sign-in page, beside the button, and what a person is told when it comes to nothing.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "./support/agent.mjs";
import { launch, signIn } from "./support/chromium.mjs";
import { add, device } from "./support/passkey.mjs";
import { codeIn, newestMail } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";

let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" } }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

const button = (page) => page.getByRole("button", { name: "Sign in with a passkey" });
const said = (page) => page.locator('[data-passkey="said"]');
const arrived = (page) => page.waitForURL("**/account");
/** The list is offered: the page has got what it takes, and nothing else is on its way. */
const offered = (page, path = "/login") => Promise.all([page.waitForResponse("**/login/passkey/options"), page.goto(path)]);

/** Holds the nth request to this address back, once `begin` has led to it, until `act` is over. */
async function meanwhile(page, path, nth, begin, act) {
  const over = Promise.withResolvers();
  let seen = 0;
  await page.route(path, async (route) => {
    seen += 1;
    if (seen === nth) await over.promise;
    await route.continue();
  });
  try {
    await begin();
    await until(() => seen === nth, 30_000);
    await act();
  } finally {
    over.resolve();
  }
}

/** Somebody with a passkey who has signed out. */
async function keyed(email) {
  const there = await device(browser, email, postern);
  await add(there);
  await there.signOut();
  return there;
}

async function done({ context }) {
  assert.deepEqual(context.faults, []);
  await context.close();
}

test("a passkey that is chosen from the list signs in without the button (issue 1)", async () => {
  const there = await keyed("list@example.com");
  await there.touch(true);
  await there.page.goto("/login", { waitUntil: "commit" });
  await arrived(there.page);
  assert.equal(await there.who(), "list@example.com");
  await done(there);
});

test("a press of the button takes the place of what is offered (issue 1)", async () => {
  const there = await keyed("press@example.com");
  await offered(there.page);
  assert.equal(await said(there.page).textContent(), "", "an offer says nothing");
  await button(there.page).click();
  await arrived(there.page);
  assert.equal(await there.who(), "press@example.com");
  await done(there);
});

test("while an answer is on its way there is nothing to press (issue 1)", async () => {
  const there = await keyed("slow@example.com");
  const { page } = there;
  await there.touch(true);
  await meanwhile(page, "**/login/passkey", 1, () => page.goto("/login"), async () => {
    assert.equal(await said(page).textContent(), "One moment…");
    assert.ok(await button(page).isDisabled());
  });
  await arrived(page);
  assert.equal(await there.who(), "slow@example.com");
  await done(there);
});

test("who thinks better of it is told what to do, may press again, and is offered passkeys again (issue 1)", async () => {
  const there = await keyed("better@example.com");
  const { page } = there;
  await offered(page);
  await page.evaluate(() => {
    const ask = navigator.credentials.get.bind(navigator.credentials);
    navigator.credentials.get = (options) => (options.mediation === "conditional" ? ask(options) : Promise.reject(new DOMException("", "NotAllowedError")));
  });
  await meanwhile(page, "**/login/passkey/options", 2, () => button(page).click(), async () => {
    assert.equal(await said(page).textContent(), "No passkey was used. Try again, or have a code mailed to you.");
    assert.ok(await button(page).isEnabled());
    await there.touch(true);
  });
  await arrived(page);
  assert.equal(await there.who(), "better@example.com");
  await done(there);
});

test("a page that was open before a sign-in elsewhere says that it is out of date, and leads on when it is loaded again (issue 1)", async () => {
  const there = await keyed("elsewhere@example.com");
  await offered(there.page);
  const other = await there.context.newPage();
  await signIn(other, there.email, async (email) => codeIn((await newestMail(postern, email)).text));
  await button(there.page).click();
  await there.page.getByText("This page is out of date. Load it again, then try once more.").waitFor();
  assert.ok(await button(there.page).isEnabled());
  await there.page.reload();
  await arrived(there.page);
  await done(there);
});
