// Every page and every refusal in Chromium: at the width of a phone and of a screen, in light and dark, with an accessibility check.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { registerKey, until } from "./support/agent.mjs";
import { ok } from "./support/answers.mjs";
import { launch, look, press, visit } from "./support/chromium.mjs";
import { complete, page as pageOf, start } from "./support/claim.mjs";
import { claimed } from "./support/claimed.mjs";
import { deploy, OPERATOR_KEY } from "./support/postern.mjs";
import { Browser, codeIn, newestMail, wrong } from "./support/person.mjs";
import { local } from "./support/production.mjs";
import { older, rewrite } from "./support/storage.mjs";

const VARS = {
  MAILS_PER_ADDRESS_PER_HOUR: "1000",
  MAILS_PER_HOUR: "100000",
  SERVICE_NAME: "Example Cloud",
  SCOPE_DESCRIPTIONS: JSON.stringify({ "api.read": "See your projects and files", "api.write": "Change and delete your projects and files" }),
};
let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: VARS }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

const AGENT = "Claude Code 2.1.3 (deploy helper)";
const LONG = "a.person.with.quite.a.long.address+and-a-tag@mail.department.example-company.example";
const code = async (email) => codeIn((await newestMail(postern, email)).text);
const operator = (path, body) => postern.json(path, body, { authorization: `Bearer ${OPERATOR_KEY}` });
/** The cookies of somebody who has signed in. */
const person = async (email) => new Browser(postern).signIn(email);

/** An attempt of a new agent: where its page is, and its code. */
async function attempt(email, type = "login_hint", agent = AGENT) {
  if (type === "both") {
    const hinted = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email, agent }));
    return { ...hinted, path: pageOf(hinted.claim.attempt.verification_uri), user_code: hinted.claim.user_code, claim_token: hinted.claim_token };
  }
  const registered = await ok(postern.json("/agent/identity", { type: "anonymous", ...(agent ? { agent } : {}) }));
  const { body } = await start(postern, { type, claim_token: registered.claim_token, login_hint: email });
  const { verification_uri } = body.claim_attempt ?? body.attempt;
  return { ...registered, path: pageOf(verification_uri), user_code: body.claim_attempt?.user_code };
}

/** Opens a page as this person, and does what leads to the state to be looked at. */
async function show(name, status, email, act) {
  const { cookies } = email ? await person(email) : new Browser(postern);
  const context = await visit(browser, postern, { cookies });
  try {
    const page = await context.newPage();
    const seen = [];
    page.on("response", (response) => response.request().isNavigationRequest() && seen.push(response.status()));
    await act(page);
    await page.waitForLoadState();
    assert.equal(seen.at(-1), status, `${name}: ${seen}`);
    assert.match(await page.title(), /\S+ · Example Cloud$|^Example Cloud/, "the title says what it is");
    assert.equal(await page.locator("h1").count(), 1);
    const faults = await look(page, name);
    assert.deepEqual([...faults, ...context.faults], [], name);
  } finally {
    await context.close();
  }
}

const fill = (page, label, text) => page.getByLabel(label).fill(text);

describe("signing in", () => {
  const sent = async (page, email) => {
    await page.goto("/login");
    await fill(page, "E-mail address", email);
    await press(page, "Mail me a code");
  };
  const look_at = (name, status, act, email) => test(`looks right: ${name.replaceAll("-", " ")}`, () => show(name, status, email, act));

  look_at("login", 200, (page) => page.goto("/login"));
  look_at("login-for-a-claim", 200, (page) => page.goto("/login?return_to=%2Fclaim%3Fclaim_attempt_token%3Dx"));
  look_at("login-not-an-address", 400, (page) => sent(page, "ada@localhost"));
  look_at("login-once-more", 200, (page) => page.goto("/login?max_age=0"), "again@example.com");
  look_at("login-once-more-long-address", 200, (page) => page.goto("/login?max_age=0"), LONG);
  look_at("code", 200, (page) => sent(page, LONG));
  look_at("code-wrong", 400, async (page) => {
    await sent(page, "typo@example.com");
    await fill(page, "Code from the mail", wrong(await code("typo@example.com")));
    await press(page, /^Sign in/);
  });
  look_at("code-too-many", 410, async (page) => {
    await sent(page, "many@example.com");
    for (let by = 1; by <= 5; by += 1) {
      await fill(page, "Code from the mail", wrong(await code("many@example.com"), by));
      await press(page, /^Sign in/);
    }
  });
  look_at("suspended", 403, async (page) => {
    await person("barred@example.com");
    await operator("/operator/people/suspend", { email: "barred@example.com" });
    await sent(page, "barred@example.com");
    await fill(page, "Code from the mail", await code("barred@example.com"));
    await press(page, /^Sign in/);
  });
  look_at("link", 200, async (page) => {
    await sent(page, LONG);
    await page.goto(local((await newestMail(postern, LONG)).links[0]));
  });
  look_at("link-used", 410, async (page) => {
    await sent(page, "used@example.com");
    const link = local((await newestMail(postern, "used@example.com")).links[0]);
    await page.goto(link);
    await press(page, /^Sign in as/);
    await page.goto(link);
  });
  look_at("too-much-mail", 429, async (page) => {
    for (let turn = 0; turn <= 20; turn += 1) await sent(page, `too-much-${turn}@example.com`);
  });
  look_at("form-too-old", 403, async (page) => {
    await page.goto("/login");
    await page.context().clearCookies();
    await fill(page, "E-mail address", "late@example.com");
    await press(page, "Mail me a code");
  });
  look_at("signed-out-meanwhile", 401, async (page) => {
    await page.goto("/account");
    await page.context().clearCookies({ name: "postern_session" });
    await page.goto("/login");
    await page.evaluate(() => document.querySelector("form").setAttribute("action", "/account/sessions/end-others"));
    await fill(page, "E-mail address", "x@example.com");
    await press(page, "Mail me a code");
  }, "meanwhile@example.com");
  look_at("home", 200, (page) => page.goto("/"));
});

describe("an agent's request", () => {
  const open = (page, { path }) => page.goto(path);
  const looks = (name, status, email, act, make = (address) => attempt(address)) =>
    test(`looks right: ${name.replaceAll("-", " ")}`, () => show(name, status, email, async (page) => act(page, await make(email))));
  const type = async (page, digits) => {
    await fill(page, /^Code that your agent/, digits);
    await press(page, "Allow this agent");
  };

  looks("claim-typed", 200, "typed@example.com", open);
  looks("claim-relay", 200, "relay@example.com", open, (email) => attempt(email, "service_auth"));
  looks("claim-both", 200, LONG, open, (email) => attempt(email, "both"));
  looks("claim-without-a-name", 200, "nameless@example.com", open, (email) => attempt(email, "login_hint", null));
  looks("claim-long-name", 200, "long@example.com", open, (email) => attempt(email, "login_hint", "W".repeat(200)));
  looks("claim-not-a-code", 400, "letters@example.com", async (page, request) => {
    await open(page, request);
    await page.getByLabel(/^Code that your agent/).evaluate((input) => input.removeAttribute("pattern"));
    await type(page, "12345");
  });
  looks("claim-wrong-code", 401, "wrong@example.com", async (page, request) => {
    await open(page, request);
    await type(page, wrong(request.user_code));
  });
  looks("claim-too-many-codes", 410, "guessing@example.com", async (page, request) => {
    await open(page, request);
    for (let by = 1; by <= 5; by += 1) await type(page, wrong(request.user_code, by));
  });
  looks("claim-approved", 200, "yes@example.com", async (page, request) => {
    await open(page, request);
    await type(page, request.user_code);
  });
  looks("claim-answered-already", 200, "twice@example.com", async (page, request) => {
    await open(page, request);
    await type(page, request.user_code);
    await open(page, request);
  });
  looks("claim-code-shown", 200, "shown@example.com", async (page, request) => {
    await open(page, request);
    await press(page, "My agent asked me for a code");
  }, (email) => attempt(email, "both"));
  looks("claim-after-the-code", 200, "after@example.com", async (page, request) => {
    await open(page, request);
    await press(page, "My agent asked me for a code");
    await open(page, request);
  }, (email) => attempt(email, "both"));
  looks("claim-other-way", 409, "other@example.com", async (page, request) => {
    await open(page, request);
    const second = await page.context().newPage();
    await open(second, request);
    await press(second, "My agent asked me for a code");
    await second.close();
    await type(page, request.user_code);
  }, (email) => attempt(email, "both"));
  looks("claim-denied", 200, "no@example.com", async (page, request) => {
    await open(page, request);
    await press(page, "No, deny");
  });
  looks("claim-denied-before", 410, "no-again@example.com", async (page, request) => {
    await open(page, request);
    await press(page, "No, deny");
    await open(page, request);
  });
  looks("claim-superseded", 404, "newer@example.com", async (page, request) => {
    await start(postern, { type: "login_hint", claim_token: request.claim_token, login_hint: "newer@example.com" });
    await open(page, request);
  });
  looks("claim-withdrawn", 410, "withdrawn@example.com", async (page, request) => {
    await operator("/operator/registrations/revoke", { registration_id: request.registration_id });
    await open(page, request);
  });
  looks("claim-wrong-account", 403, "me@example.com", open, () => attempt("somebody-else@example.com"));
  looks("claim-unknown", 404, "me@example.com", (page) => page.goto("/claim?claim_attempt_token=cvt_x"), () => null);
  looks("claim-by-mailed-link", 200, null, open, async () => {
    const { claim_token } = await registerKey(postern, {}, { agent: AGENT });
    await ok(postern.json("/agent/auth/claim", { claim_token, email: "by-mail@example.com" }));
    return { path: local((await newestMail(postern, "by-mail@example.com")).links[0]) };
  });
  looks("claim-completed", 200, "told@example.com", async (page, request) => {
    await open(page, request);
    await press(page, "My agent asked me for a code");
    const digits = (await page.locator(".shown").textContent()).replace(/\D/g, "");
    await ok(complete(postern, request.claim_token, digits).then(({ text, status, headers }) => new Response(text, { status, headers })));
    await open(page, request);
  }, (email) => attempt(email, "both"));
});

describe("the account", () => {
  const email = "full@example.com";
  before(async () => {
    const someone = await person(email);
    for (const agent of [AGENT, null, "סוכן בעברית", "W".repeat(200)]) await claimed(postern, someone, email, agent ? { agent } : {});
    await new Browser(postern).signIn(email);
    await someone.submit("/account/agents/revoke");
    await until(async () => (await someone.open("/account")).html.includes("You ended an agent"));
  });

  test("looks right: account empty", () => show("account-empty", 200, "new@example.com", (page) => page.goto("/account")));
  test("looks right: account full", () => show("account-full", 200, email, (page) => page.goto("/account")));
  test("looks right: account with a long address", () => show("account-long-address", 200, LONG, (page) => page.goto("/account")));
  test("looks right: account with every question open", () =>
    show("account-asking", 200, email, async (page) => {
      await page.goto("/account");
      for (const summary of await page.locator("summary").all()) await summary.click();
    }));
  test("looks right: account after an agent was ended", () => show("account-done", 200, email, (page) => page.goto("/account?done=agent")));
  test("looks right: account after ending one agent by its button", () =>
    show("account-ended", 200, "ender@example.com", async (page) => {
      await claimed(postern, await person("ender@example.com"), "ender@example.com", { agent: AGENT });
      await page.goto("/account");
      await page.locator("summary", { hasText: "End access" }).click();
      await press(page, "Yes, end its access");
      await page.getByText("The agent is revoked").waitFor();
    }));
  test("looks right: account with more than fits on a page", () =>
    show("account-pages", 200, "busy@example.com", async (page) => {
      for (let turn = 0; turn < 24; turn += 1) await person("busy@example.com");
      await page.goto("/account");
      await page.getByRole("link", { name: "What happened before" }).click();
    }));
});

test("looks right: a request that has expired, and a service that does not answer", async () => {
  const own = await deploy({ vars: VARS });
  try {
    const someone = await new Browser(own).signIn("late@example.com");
    const agent = await ok(own.json("/agent/identity", { type: "service_auth", login_hint: "late@example.com", agent: AGENT }));
    await own.restart({}, () => rewrite(own, "registration", older(660_000)));
    const context = await visit(browser, own, { cookies: someone.cookies });
    const page = await context.newPage();
    const answer = await page.goto(pageOf(agent.claim.attempt.verification_uri));
    assert.equal(answer.status(), 410);
    assert.match(await page.content(), /expired/);
    assert.deepEqual([...(await look(page, "claim-expired")), ...context.faults], []);
    await context.close();
  } finally {
    await own.stop();
  }
  const silent = await deploy({ vars: { ...VARS, DEV: null, ISSUER: "https://auth.example.com", MAIL: "cloudflare", MAIL_FROM: "a@example.com" } });
  try {
    const context = await visit(browser, silent);
    const page = await context.newPage();
    // Chromium keeps __Host- cookies over https alone, so the form is sent by hand.
    const visitor = await new Browser(silent).open("/login");
    await visitor.submit("/login", { email: "a@example.com" });
    assert.equal(visitor.status, 503);
    await page.route("**/login", (route) => route.fulfill({ status: 503, headers: Object.fromEntries(visitor.headers), body: visitor.html }));
    await page.goto("/login");
    assert.deepEqual([...(await look(page, "service-down")), ...context.faults], []);
    await context.close();
  } finally {
    await silent.stop();
  }
});
