// Pages without a mouse, and without script.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { register, until } from "./support/agent.mjs";
import { ok } from "./support/answers.mjs";
import { launch, visit } from "./support/chromium.mjs";
import { complete, page as pageOf, poll, start } from "./support/claim.mjs";
import { claimed } from "./support/claimed.mjs";
import { deploy } from "./support/postern.mjs";
import { Browser, codeIn, newestMail } from "./support/person.mjs";

let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" } }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

const code = async (email) => codeIn((await newestMail(postern, email)).text);

/** A page of a new browser; at its end nothing may have gone wrong in it. */
async function at(options, act) {
  const context = await visit(browser, postern, options);
  try {
    const page = await context.newPage();
    await act(page);
    assert.deepEqual(context.faults, []);
  } finally {
    await context.close();
  }
}

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    return { label: (element.labels?.[0] ?? element).textContent.trim().replace(/\s+/g, " "), tag: element.tagName, marked: (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none", inView: box.bottom > 0 && box.top < innerHeight && box.width > 0 };
  });

/** Tabs to what is called so, and sees on the way that the focus shows; what was passed. */
async function tabTo(page, label) {
  const passed = [];
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press("Tab");
    const here = await focused(page);
    if (here.tag !== "BODY") {
      assert.ok(here.marked, `the focus shows on ${here.label}`);
      assert.ok(here.inView, `${here.label} is in view`);
    }
    passed.push(here.label);
    if (label.test(here.label)) return passed;
  }
  return assert.fail(`nothing called ${label} among ${passed.join(" | ")}`);
}

describe("by keyboard alone", () => {
  test("a person signs in without leaving the fields (issue 1)", () =>
    at({}, async (page) => {
      await page.goto("/login");
      assert.match((await focused(page)).label, /E-mail address/);
      await page.keyboard.type("keys@example.com");
      await page.keyboard.press("Enter");
      await page.waitForSelector("text=Look into your mail");
      assert.match((await focused(page)).label, /Code from the mail/);
      await page.keyboard.type(await code("keys@example.com"));
      await page.keyboard.press("Enter");
      await page.waitForURL("**/account");
      await tabTo(page, /^Sign out$/);
      await page.keyboard.press("Enter");
      await page.waitForURL("**/login?*");
    }));

  test("a person allows an agent by typing its code (issue 1)", () => {
    const email = "keys-typed@example.com";
    return new Browser(postern).signIn(email).then(({ cookies }) =>
      at({ cookies }, async (page) => {
        const agent = await register(postern);
        const { body } = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: email });
        await page.goto(pageOf(body.claim_attempt.verification_uri));
        const passed = await tabTo(page, /^Code that your agent/);
        assert.ok(!passed.some((label) => /deny|Allow/i.test(label)), "nothing is answered before it");
        await page.keyboard.type("999 99");
        await page.keyboard.press("Enter");
        await page.waitForSelector("[role=alert]");
        assert.match((await focused(page)).label, /^Code that your agent/, "after an error one is back in the field");
        const described = await page.evaluate(() => document.activeElement.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id).textContent));
        assert.match(described.join(" "), /A code has six digits/, "which a screen reader tells with it");
        await page.keyboard.type(body.claim_attempt.user_code);
        await tabTo(page, /^Allow this agent$/);
        await page.keyboard.press("Space");
        await page.waitForSelector("text=Approved");
        assert.equal((await poll(postern, agent.claim_token)).status, 200);
      }),
    );
  });

  test("a person gets the code to read to the agent, which a screen reader spells (issue 1)", () => {
    const email = "keys-relay@example.com";
    return new Browser(postern).signIn(email).then(({ cookies }) =>
      at({ cookies }, async (page) => {
        const agent = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email }));
        await page.goto(pageOf(agent.claim.attempt.verification_uri));
        await tabTo(page, /^My agent asked me for a code$/);
        await page.keyboard.press("Enter");
        await page.waitForSelector(".shown");
        const heard = await page.evaluate(() => [...document.querySelectorAll(".code > :not([aria-hidden])")].map(({ textContent }) => textContent).join(""));
        assert.match(heard, /^(\d ){2}\d, (\d ){2}\d$/);
        assert.equal((await complete(postern, agent.claim_token, heard.replace(/\D/g, ""))).status, 200);
      }),
    );
  });

  test("a person denies, and ends an agent's access, after being asked once more (issue 1)", () => {
    const email = "keys-ends@example.com";
    return new Browser(postern).signIn(email).then(async (person) => {
      const agent = await claimed(postern, person, email, { agent: "Kept" });
      const other = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email }));
      await at({ cookies: person.cookies }, async (page) => {
        await page.goto(pageOf(other.claim.attempt.verification_uri));
        await tabTo(page, /^No, deny$/);
        await page.keyboard.press("Enter");
        await page.waitForSelector("text=Denied");
        assert.equal((await poll(postern, other.claim_token)).body.error, "access_denied");
        await page.goto("/account");
        await tabTo(page, /^End access/);
        await page.keyboard.press("Enter");
        await tabTo(page, /^Yes, end its access$/);
        await page.keyboard.press("Enter");
        await page.waitForSelector("text=The agent is revoked");
        await until(async () => (await person.open("/account")).html.includes("ended"));
        assert.ok(person.html.includes(agent.registration_id));
      });
    });
  });

  test("everything on the account page that can be pressed is reached, in the order in which it is read (issue 1)", () => {
    const email = "keys-order@example.com";
    return new Browser(postern).signIn(email).then(async (person) => {
      await claimed(postern, person, email);
      await new Browser(postern).signIn(email);
      await at({ cookies: person.cookies }, async (page) => {
        await page.goto("/account");
        await page.getByRole("button", { name: "Add a passkey" }).waitFor();
        const expected = await page.evaluate(() => [...document.querySelectorAll("a[href], button, summary, input:not([type=hidden])")].filter((element) => element.checkVisibility()).map((element) => (element.labels?.[0] ?? element).textContent.trim().replace(/\s+/g, " ")));
        const passed = await tabTo(page, /^What is this page\?$/);
        assert.deepEqual(passed, expected);
      });
    });
  });
});

describe("without script", () => {
  const off = { javaScriptEnabled: false };

  test("a person signs in by code, sees the account, and signs out (issue 1)", () =>
    at(off, async (page) => {
      await page.goto("/login");
      assert.ok(!(await page.getByText("Sign in with a passkey").isVisible()), "what needs the script is not offered");
      await page.getByLabel("E-mail address").fill("plain@example.com");
      await page.getByRole("button", { name: "Mail me a code" }).click();
      await page.getByLabel("Code from the mail").fill(await code("plain@example.com"));
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await page.waitForURL("**/account");
      assert.ok(await page.locator("noscript p", { hasText: "must run this page" }).isVisible());
      assert.ok(!(await page.getByRole("button", { name: "Add a passkey" }).isVisible()));
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.waitForURL("**/login?*");
    }));

  test("a person answers an agent, and ends it (issue 1)", () => {
    const email = "plain-claim@example.com";
    return new Browser(postern).signIn(email).then(({ cookies }) =>
      at({ ...off, cookies }, async (page) => {
        const agent = await register(postern);
        const { body } = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: email });
        await page.goto(pageOf(body.claim_attempt.verification_uri));
        await page.getByLabel(/^Code that your agent/).fill(body.claim_attempt.user_code);
        await page.getByRole("button", { name: "Allow this agent" }).click();
        await page.getByText("Approved").waitFor();
        await page.getByRole("link", { name: "Your agents" }).click();
        await until(async () => (await page.reload()) && (await page.locator("summary", { hasText: "End access" }).count()) === 1);
        await page.locator("summary", { hasText: "End access" }).click();
        await page.getByRole("button", { name: "Yes, end its access" }).click();
        await page.getByText("The agent is revoked").waitFor();
      }),
    );
  });
});

test("pages can be read at twice the size of the text, without scrolling sideways (issue 1)", async () => {
  const email = "zoom@example.com";
  const person = await new Browser(postern).signIn(email);
  await claimed(postern, person, email, { agent: "An agent with a name" });
  const agent = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email }));
  await at({ cookies: person.cookies, viewport: { width: 320, height: 640 } }, async (page) => {
    for (const path of ["/account", pageOf(agent.claim.attempt.verification_uri), "/login?max_age=0", "/"]) {
      await page.goto(path);
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(sideways <= 0, `${path}: ${sideways} (WCAG 1.4.10: 320 CSS pixels)`);
    }
  });
});
