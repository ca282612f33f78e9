// Where the answer to an application leads, in Chromium: to the client, wherever that redirects; by keyboard, without script, for who signs in on the way.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { until } from "./support/agent.mjs";
import { launch } from "./support/chromium.mjs";
import { at, focused, tabTo } from "./support/looks.mjs";
import { REDIRECT, authorization, connected, consented, person, pkce, redeem, register } from "./support/oauth.mjs";
import { deploy } from "./support/postern.mjs";
import { codeIn, newestMail } from "./support/person.mjs";
import { local } from "./support/production.mjs";

const CLIENTS = JSON.stringify([
  { client_id: "trusted", client_name: "Ours", redirect_uris: [REDIRECT], trusted: true, client_secret_sha256: createHash("sha256").update("a secret of ours").digest("hex") },
]);
let postern, browser, native, elsewhere;
before(async () => {
  [postern, browser, elsewhere] = await Promise.all([deploy({ vars: { CLIENTS, MAILS_PER_ADDRESS_PER_HOUR: "1000" } }), launch(), listen(() => null)]);
  // A program that takes the code, and sends the browser on.
  native = await listen((path) => ({ "/on": `${elsewhere.url.replace("127.0.0.1", "localhost")}/done`, "/app": "cursor://anysphere.cursor-mcp/done" })[path]);
});
after(() => Promise.all([postern.stop(), browser.close(), native.stop(), elsewhere.stop()]));

/** A server on loopback; `onward(path)` says where it redirects. */
async function listen(onward) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    const location = onward(request.url.split("?")[0]);
    response.writeHead(location ? 302 : 200, { "content-type": "text/html", ...(location ? { location } : {}) });
    response.end("<!doctype html><html lang=en><title>There</title><link rel=icon href=data:,><h1>There</h1>");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { asked, url: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())) };
}

const press = (page, name) => page.getByRole("button", { name }).click();
const params = (url) => Object.fromEntries(new URL(url).searchParams);
/** Does what leads to the client; the address that the browser asks for there. Nobody answers it: go on in another page. */
async function sentTo(page, start, act) {
  const [request] = await Promise.all([page.waitForRequest((request) => request.url().startsWith(start)), act()]);
  return params(request.url());
}
const another = (page) => page.context().newPage();
const leads = [REDIRECT];

describe("the answer", () => {
  test("yes leads to the client with a code, state and iss; no with access_denied", async () => {
    const client = await register(postern);
    const { cookies } = await person(postern, "answers@example.com");
    await at(browser, postern, { cookies, leads }, async (page) => {
      await page.goto(authorization(client.client_id));
      const denied = await sentTo(page, REDIRECT, () => press(page, "No, deny"));
      assert.deepEqual([denied.error, denied.state, denied.iss, denied.code], ["access_denied", "the state", postern.issuer, undefined]);
      const { verifier, challenge } = pkce();
      const next = await another(page);
      await next.goto(authorization(client.client_id, {}, { challenge }));
      const back = await sentTo(next, REDIRECT, () => press(next, "Allow"));
      assert.deepEqual([back.state, back.iss], ["the state", postern.issuer]);
      assert.equal((await redeem(postern, client, back.code, verifier)).status, 200);
    });
  });

  for (const [name, path, expected] of [
    ["a program on this device", "/callback", null],
    ["a client that redirects on to another origin", "/on", "/done"],
  ]) {
    test(`reaches ${name}, whatever the page's policy says of forms`, async () => {
      const redirect_uri = `${native.url}${path}`;
      const client = await register(postern, { redirect_uris: [redirect_uri] });
      const { cookies } = await person(postern, "native@example.com");
      await at(browser, postern, { cookies, leads: [native.url, "http://localhost"] }, async (page) => {
        await page.goto(authorization(client.client_id, { redirect_uri }));
        await Promise.all([page.waitForURL((url) => url.pathname === (expected ?? path)), press(page, "Allow")]);
        await page.getByRole("heading", { name: "There" }).waitFor();
        if (expected) assert.ok(elsewhere.asked.includes(expected));
      });
    });
  }

  for (const [name, redirect_uri] of [
    ["a private-use scheme", () => "cursor://anysphere.cursor-mcp/oauth/callback"],
    ["a client that redirects on to a private-use scheme", () => `${native.url}/app`],
  ]) {
    test(`is not held up on its way to ${name}`, async () => {
      const uri = redirect_uri();
      const client = await register(postern, { redirect_uris: [uri] });
      const { cookies } = await person(postern, "scheme@example.com");
      await at(browser, postern, { cookies, leads: [native.url, "cursor:"] }, async (page) => {
        await page.goto(authorization(client.client_id, { redirect_uri: uri }));
        const policy = (await page.request.get(authorization(client.client_id, { redirect_uri: uri }))).headers()["content-security-policy"];
        assert.ok(!policy.includes("form-action"), "browsers apply it to every redirect that follows");
        const before = page.url();
        await press(page, "Allow");
        if (uri.startsWith("http")) await until(() => native.asked.some((url) => url.startsWith("/app?code=")));
        // No program takes the scheme here: the browser stays, and complains of no policy (its console is looked at).
        await page.waitForTimeout(500);
        assert.equal(page.url(), before);
      });
    });
  }

  test("is remembered for a client on the web, and asked for again with prompt=consent; a program on a device is asked every time", async () => {
    const client = await register(postern);
    const loopback = await register(postern, { redirect_uris: [`${native.url}/callback`] });
    const someone = await person(postern, "remembers@example.com");
    await consented(someone, authorization(client.client_id));
    await consented(someone, authorization(loopback.client_id, { redirect_uri: `${native.url}/callback` }));
    await at(browser, postern, { cookies: someone.cookies, leads }, async (page) => {
      assert.ok((await sentTo(page, REDIRECT, () => page.goto(authorization(client.client_id)).catch(() => null))).code);
      const next = await another(page);
      await next.goto(authorization(client.client_id, { prompt: "consent" }));
      await next.getByRole("button", { name: "Allow" }).waitFor();
      await next.goto(authorization(loopback.client_id, { redirect_uri: `${native.url}/callback` }));
      await next.getByText("It runs on your own device").waitFor();
    });
  });

  test("is not asked for a client that the operator trusts", async () => {
    const { cookies } = await person(postern, "trusts@example.com");
    await at(browser, postern, { cookies, leads }, async (page) => {
      assert.ok((await sentTo(page, REDIRECT, () => page.goto(authorization("trusted")).catch(() => null))).code);
    });
  });
});

describe("who signs in on the way to a client", () => {
  const typeCode = async (page, email) => {
    await page.getByLabel("E-mail address").fill(email);
    await press(page, "Mail me a code");
    await page.getByLabel("Code from the mail").fill(codeIn((await newestMail(postern, email)).text));
  };

  test("is asked, and gets there", () =>
    at(browser, postern, { leads }, async (page) => {
      const client = await register(postern);
      await page.goto(authorization(client.client_id));
      await typeCode(page, "new@example.com");
      await press(page, /^Sign in$/);
      assert.ok((await sentTo(page, REDIRECT, () => press(page, "Allow"))).code);
    }));

  test("gets there at once where consent is remembered, by the mailed code", () =>
    at(browser, postern, { leads }, async (page) => {
      const client = await register(postern);
      await consented(await person(postern, "by-code@example.com"), authorization(client.client_id));
      await page.goto(authorization(client.client_id));
      await typeCode(page, "by-code@example.com");
      assert.ok((await sentTo(page, REDIRECT, () => press(page, /^Sign in$/))).code);
    }));

  test("gets there at once where the client is trusted, by the mailed link", () =>
    at(browser, postern, { leads }, async (page) => {
      await page.goto(authorization("trusted"));
      await page.getByLabel("E-mail address").fill("by-link@example.com");
      await press(page, "Mail me a code");
      await page.getByLabel("Code from the mail").waitFor();
      await page.goto(local((await newestMail(postern, "by-link@example.com")).links[0]));
      assert.ok((await sentTo(page, REDIRECT, () => press(page, /^Sign in as/))).code);
    }));

  test("takes another account, whose request it is then", async () => {
    const client = await register(postern);
    const { cookies } = await person(postern, "first@example.com");
    await at(browser, postern, { cookies, leads }, async (page) => {
      const { verifier, challenge } = pkce();
      await page.goto(authorization(client.client_id, { scope: "openid email api.read" }, { challenge }));
      await press(page, "Use another account");
      await page.getByText("An application asks to act for you").waitFor();
      await typeCode(page, "second@example.com");
      await press(page, /^Sign in$/);
      await page.getByRole("button", { name: "Allow" }).waitFor();
      assert.equal(await page.locator("dl.facts").getByText("second@example.com").count(), 1);
      const { code } = await sentTo(page, REDIRECT, () => press(page, "Allow"));
      const { body } = await redeem(postern, client, code, verifier);
      const info = await fetch(`${postern.issuer}/oauth2/userinfo`, { headers: { authorization: `Bearer ${body.access_token}` } });
      assert.equal((await info.json()).email, "second@example.com");
    });
  });
});

describe("by keyboard alone, and without script", () => {
  test("a person allows an application, and reads who asks before any button", async () => {
    const client = await register(postern, { client_name: "Keys" });
    const { cookies } = await person(postern, "keys@example.com");
    await at(browser, postern, { cookies, leads }, async (page) => {
      await page.goto(authorization(client.client_id));
      assert.equal((await focused(page)).tag, "BODY", "Enter alone answers nothing");
      const passed = await tabTo(page, /^Allow$/);
      assert.deepEqual(passed, ["Postern", "Your account: keys@example.com", "your account page", "Allow"]);
      assert.ok((await sentTo(page, REDIRECT, () => page.keyboard.press("Enter"))).code);
      const next = await another(page);
      await next.goto(authorization(client.client_id, { prompt: "consent" }));
      await tabTo(next, /^No, deny$/);
      assert.equal((await sentTo(next, REDIRECT, () => next.keyboard.press("Space"))).error, "access_denied");
    });
  });

  test("a person allows an application, and disconnects it", async () => {
    const client = await register(postern, { client_name: "Plain" });
    const someone = await person(postern, "plain@example.com");
    await at(browser, postern, { cookies: someone.cookies, leads, javaScriptEnabled: false }, async (page) => {
      await page.goto(authorization(client.client_id));
      assert.ok((await sentTo(page, REDIRECT, () => press(page, "Allow"))).code);
      const { access_token } = await connected(postern, someone, client);
      const next = await another(page);
      await next.goto("/account");
      await next.locator("summary", { hasText: "Disconnect" }).click();
      await press(next, "Yes, disconnect it");
      await next.getByText("The application is disconnected").waitFor();
      const { status } = await fetch(`${postern.issuer}/api/v1/auth/me`, { headers: { authorization: `Bearer ${access_token}` } });
      assert.equal(status, 401);
      await next.goto(authorization(client.client_id));
      await next.getByRole("button", { name: "Allow" }).waitFor();
      assert.equal(await next.getByText("allowed before").count(), 0, "what was taken back was not allowed before");
    });
  });
});

test("pages on the way can be read at twice the size of the text, without scrolling sideways (WCAG 1.4.10)", async () => {
  const client = await register(postern, { client_name: "A client with a name" });
  const someone = await person(postern, "zoom@example.com");
  await consented(someone, authorization(client.client_id, { scope: "api.read" }));
  await at(browser, postern, { cookies: someone.cookies, viewport: { width: 320, height: 640 } }, async (page) => {
    for (const path of [authorization(client.client_id), authorization("cli_nobody"), "/oauth2/logout", "/operator/traces", "/account"]) {
      await page.goto(path);
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(sideways <= 0, `${path}: ${sideways}`);
    }
  });
});
