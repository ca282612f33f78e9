// The operator's pages of the connection trace, and signing out for a client, in Chromium: looks, by keyboard, without script, and who may see them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "./support/agent.mjs";
import { launch, press } from "./support/chromium.mjs";
import { VARS, at, focused, looking, tabTo } from "./support/looks.mjs";
import { REDIRECT, authorization, connected, person, redeem, register } from "./support/oauth.mjs";
import { OPERATOR_KEY, address, deploy } from "./support/postern.mjs";
import { Browser } from "./support/person.mjs";

let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: VARS }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

const looks = looking(() => [browser, postern]);
const enter = async (page, key = OPERATOR_KEY) => {
  await page.goto("/operator/traces");
  await page.getByLabel("Operator key").fill(key);
  await press(page, "Open");
};
const AFTER = "https://client.example/signed-out";

describe("the connection trace", () => {
  const headers = { "cf-connecting-ip": address(), "user-agent": "Mozilla/5.0" };
  const secret = `a-wrong-verifier-${"v".repeat(40)}`;
  let good, bad, code;
  before(async () => {
    const who = new Browser(postern, { ip: headers["cf-connecting-ip"] });
    await who.signIn("traced@example.com");
    const here = { ...postern, json: (path, body) => postern.json(path, body, headers), form: (path, fields) => postern.form(path, fields, headers) };
    good = await register(here, { client_name: "Connects (with a name that is as long as names are in the wild, 2.1.3)" });
    const { access_token } = await connected(here, who, good);
    assert.equal((await postern.get("/api/v1/auth/me", { ...headers, authorization: `Bearer ${access_token}` })).status, 200);
    bad = await register(here, { client_name: "Fails" });
    await who.send(authorization(bad.client_id, { redirect_uri: "https://evil.example/callback" }));
    assert.equal(who.status, 400);
    await who.send(authorization(bad.client_id));
    await who.submit("/oauth2/authorize/consent", { answer: "allow" }, { follow: false });
    code = new URL(who.headers.get("location")).searchParams.get("code");
    assert.equal((await redeem(here, bad, code, secret)).status, 400);
    const known = { authorization: `Bearer ${OPERATOR_KEY}`, accept: "application/json" };
    await until(async () => (await (await postern.get("/operator/traces", known)).json()).traces.some(({ client_name, error }) => client_name === "Fails" && error));
  });

  const open = async (page, name) => {
    await enter(page);
    await page.locator("li", { hasText: name }).getByRole("link").first().click();
    await page.getByRole("heading", { name: /^Connection / }).waitFor();
    await page.waitForLoadState();
  };

  looks("traces-key", 401, null, (page) => page.goto("/operator/traces"));
  looks("traces-wrong-key", 401, null, (page) => enter(page, "not the key"));
  looks("traces", 200, null, (page) => enter(page));
  looks("traces-none", 200, null, async (page) => {
    await enter(page);
    await page.getByLabel("Client").fill("nobody");
    await press(page, "Look");
    await page.getByText("None.").waitFor();
  });
  looks("trace", 200, null, (page) => open(page, "Connects"));
  looks("trace-failed", 200, null, async (page) => {
    await open(page, "Fails");
    const html = await page.content();
    assert.ok(!html.includes(secret) && !html.includes(code), "what was secret is not kept");
    const said = (await page.locator("main").textContent()).replace(/\s+/g, " ");
    assert.match(said, /Should have sent/);
    assert.match(said, /from \d+\.\d+\.\d+\.0\/24/);
    assert.match(said, /A person answered done/, "what the person said is a step of its own");
    assert.match(said, /answer ?allow/);
    assert.match(said, /the code_verifier is not that of the code_challenge/);
    assert.ok(!/csrf/.test(said), "the form's own fields are nobody's business");
  });

  test("is opened by keyboard alone, without script, and closed again", () =>
    at(browser, postern, { javaScriptEnabled: false }, async (page) => {
      await page.goto("/operator/traces");
      await page.locator("#key:focus").waitFor();
      await page.keyboard.type(OPERATOR_KEY);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Connections" }).waitFor();
      await tabTo(page, /^Client$/);
      await tabTo(page, /^Outcome/);
      await tabTo(page, /^Look$/);
      await tabTo(page, /cli_/);
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: /^Connection / }).waitFor();
      await page.goto("/operator/traces");
      await press(page, "Leave");
      await page.getByLabel("Operator key").waitFor();
    }));

  test("shows in the browser in which the key was typed alone", async () => {
    const [one, other] = [new Browser(postern), new Browser(postern)];
    const html = { headers: { accept: "text/html" } };
    await one.send("/operator/traces", html);
    const csrf = /name="csrf" value="([^"]*)"/.exec(one.html)[1];
    await one.post("/operator/traces", { csrf, key: OPERATOR_KEY });
    assert.equal(one.status, 303);
    assert.match(one.headers.get("set-cookie"), /HttpOnly.*SameSite=Strict|SameSite=Strict.*HttpOnly/i);
    assert.ok(!one.headers.get("set-cookie").includes(OPERATOR_KEY));
    await one.send("/operator/traces", html);
    assert.equal(one.status, 200);
    await other.send("/operator/traces", html);
    for (const [name, value] of one.cookies) if (name.includes("operator")) other.cookies.set(name, value);
    await other.send("/operator/traces", html);
    assert.equal(other.status, 401, "the cookie is of the other browser");
    await other.post("/operator/traces", { csrf, key: OPERATOR_KEY });
    assert.equal(other.status, 403, "and so is the form's token");
    await one.post("/operator/traces", { csrf, key: OPERATOR_KEY }, { "sec-fetch-site": "cross-site", origin: "https://evil.example" });
    assert.equal(one.status, 403);
  });

  test("the page of a refused request names a trace that the operator finds", async () => {
    const who = await new Browser(postern).send(authorization("cli_nobody"));
    const [, reference] = /Reference <code>([^<]*)<\/code>/.exec(who.html);
    const known = { authorization: `Bearer ${OPERATOR_KEY}`, accept: "application/json" };
    await until(async () => (await postern.get(`/operator/traces/${reference}`, known)).status === 200);
    const trace = await (await postern.get(`/operator/traces/${reference}`, known)).json();
    assert.equal(trace.client_id, "cli_nobody");
  });
});

describe("a client that asks to sign out", () => {
  const client = (more = {}) => register(postern, { client_name: "Relying party", post_logout_redirect_uris: [AFTER], ...more });
  const path = ({ client_id }, more = {}) => `/oauth2/logout?${new URLSearchParams({ client_id, ...more })}`;

  looks("logout", 200, "logout@example.com", async (page) => {
    await page.goto(path(await client(), { post_logout_redirect_uri: AFTER, state: "x" }));
    await page.getByText("Afterwards you go to").waitFor();
  });
  looks("logout-nobody-asks", 200, "logout-bare@example.com", (page) => page.goto("/oauth2/logout"));
  looks("logout-foreign-address", 400, "logout-foreign@example.com", async (page) => {
    await page.goto(path(await client(), { post_logout_redirect_uri: "https://evil.example/" }));
    await page.getByRole("heading", { name: "You were not signed out" }).waitFor();
    await page.getByText("The application wanted to send you on to an address that it did not register.").waitFor();
  });
  looks("logged-out", 200, "logged-out@example.com", async (page) => {
    await page.goto("/oauth2/logout");
    await press(page, "Sign out");
    await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  });

  test("is confirmed by keyboard, without script, and leads to the client", async () => {
    const { cookies } = await person(postern, "leaves@example.com");
    const relying = await client();
    await at(browser, postern, { cookies, leads: [REDIRECT, AFTER], javaScriptEnabled: false }, async (page) => {
      await page.goto(path(relying, { post_logout_redirect_uri: AFTER, state: "the state" }));
      assert.equal((await focused(page).catch(() => ({ tag: "BODY" }))).tag, "BODY");
      await tabTo(page, /^Sign out$/);
      const [request] = await Promise.all([page.waitForRequest((request) => request.url().startsWith(AFTER)), page.keyboard.press("Enter")]);
      assert.equal(new URL(request.url()).searchParams.get("state"), "the state");
      const next = await page.context().newPage();
      await next.goto("/account");
      await next.getByLabel("E-mail address").waitFor();
    });
  });

  test("signs nobody out without the person's word", async () => {
    const who = await person(postern, "stays@example.com");
    const relying = await client();
    await who.send(path(relying));
    assert.equal(who.status, 200);
    for (const headers of [{ "sec-fetch-site": "cross-site", origin: "https://evil.example" }, {}]) {
      await who.post("/oauth2/logout", { client_id: relying.client_id, csrf: "x" }, headers);
      assert.equal(who.status, 403);
    }
    await who.post("/oauth2/logout", { client_id: relying.client_id });
    assert.equal(who.status, 303, "a client's own form comes again as a question");
    assert.match(who.headers.get("location"), /^\/oauth2\/logout\?/);
    assert.equal((await who.send("/account")).status, 200);
  });
});
