// Every state of the device page in Chromium: on a phone and on a screen, in light and dark, with an accessibility check, by keyboard, without script.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ok } from "./support/answers.mjs";
import { launch, look, press, visit } from "./support/chromium.mjs";
import { CLIENTS, DEVICE, answer, begin, poll } from "./support/device.mjs";
import { address, deploy } from "./support/postern.mjs";
import { Browser } from "./support/person.mjs";

const VARS = {
  CLIENTS,
  MAILS_PER_ADDRESS_PER_HOUR: "1000",
  MAILS_PER_HOUR: "100000",
  SERVICE_NAME: "Example Cloud",
  SCOPE_DESCRIPTIONS: JSON.stringify({ "api.read": "See your projects and files", "api.write": "Change and delete your projects and files" }),
};
const LONG = "a.person.with.quite.a.long.address+and-a-tag@mail.department.example-company.example";
let postern, browser;
before(async () => ([postern, browser] = await Promise.all([deploy({ vars: VARS }), launch()])));
after(() => Promise.all([postern.stop(), browser.close()]));

const person = (email) => new Browser(postern).signIn(email);
const registered = (client_name) => ok(postern.json("/oauth2/register", { client_name, redirect_uris: [], grant_types: [DEVICE], token_endpoint_auth_method: "none" }).then(created));
/** RFC 7591 answers 201. */
const created = async (response) => new Response(await response.text(), { status: response.status === 201 ? 200 : response.status });

async function type(page, code) {
  await page.goto("/device");
  await page.getByLabel("Code on the device").fill(code);
  await press(page, "Go on");
}

/** Opens a page as this person, and does what leads to the state to be looked at. */
function looks(name, status, act, { email = `${name}@example.com`, ...options } = {}) {
  test(`looks right: ${name.replaceAll("-", " ")}`, async () => {
    const { cookies } = email ? await person(email) : new Browser(postern);
    const context = await visit(browser, postern, { cookies, ...options });
    try {
      const page = await context.newPage();
      const seen = [];
      page.on("response", (response) => response.request().isNavigationRequest() && seen.push(response.status()));
      await act(page);
      await page.waitForLoadState();
      assert.equal(seen.at(-1), status, `${name}: ${seen}`);
      assert.match(await page.title(), /\S+ · Example Cloud$/);
      assert.equal(await page.locator("h1").count(), 1);
      assert.deepEqual([...(await look(page, name)), ...context.faults], [], name);
    } finally {
      await context.close();
    }
  });
}

looks("device-sign-in", 200, async (page) => page.goto("/device?user_code=BCDF-GHJK"), { email: null });
looks("device", 200, (page) => page.goto("/device"));
looks("device-filled", 200, async (page) => {
  const device = await begin(postern);
  await page.goto(device.verification_uri_complete);
  assert.equal(await page.getByLabel("Code on the device").inputValue(), device.user_code);
});
looks("device-not-a-code", 400, (page) => type(page, "hello"));
looks("device-no-such-code", 404, (page) => type(page, "bbbb bbbb"));
looks("device-too-many", 429, async (page) => {
  for (let turn = 0; turn <= 10; turn += 1) await type(page, "BBBB-BBBB");
});
looks("device-request", 200, async (page) => {
  const device = await begin(postern);
  await type(page, device.user_code);
  assert.equal(await page.locator(".shown").textContent(), device.user_code);
  await page.getByText("not the network that you are in").waitFor();
});
looks("device-request-same-network", 200, async (page) => {
  const { user_code } = await begin(postern, { headers: { "cf-connecting-ip": "203.0.113.77" } });
  await type(page, user_code);
  await page.getByText("your network", { exact: true }).waitFor();
}, { extraHTTPHeaders: { "cf-connecting-ip": "203.0.113.7" } });
looks("device-request-registered", 200, async (page) => {
  const { client_id } = await registered("Claude Code 2.1.3 (in a container)");
  await type(page, (await begin(postern, { client_id, headers: { "user-agent": "claude-code/2.1.3 (linux; x64)" } })).user_code);
  await page.getByText("It registered itself").waitFor();
});
looks("device-request-long", 200, async (page) => {
  const { client_id } = await registered("W".repeat(200));
  await type(page, (await begin(postern, { client_id, headers: { "user-agent": "w".repeat(300), "cf-connecting-ip": "2001:db8:1234::1" } })).user_code);
  await page.getByText("2001:db8:1234::/48").waitFor();
}, { email: LONG });
looks("device-approved", 200, async (page) => {
  const device = await begin(postern);
  await type(page, device.user_code);
  await press(page, /allow$/);
  await page.getByRole("heading", { name: "Approved" }).waitFor();
  assert.equal((await poll(device, postern.issuer)).status, 200);
});
looks("device-denied", 200, async (page) => {
  const device = await begin(postern);
  await type(page, device.user_code);
  await press(page, "No, deny");
  await page.getByRole("heading", { name: "Denied" }).waitFor();
  assert.equal((await poll(device, postern.issuer)).body.error, "access_denied");
});
looks("device-answered-elsewhere", 404, async (page) => {
  const device = await begin(postern);
  await type(page, device.user_code);
  await answer(await person(`elsewhere.${address()}@example.com`), device, "deny");
  await press(page, /allow$/);
});
looks("device-account", 200, async (page) => {
  await answer(await person("device-account@example.com"), await begin(postern));
  await page.goto("/account");
  await page.getByText("Television").first().waitFor();
});

test("by keyboard alone, and without script", async () => {
  const { cookies } = await person("keys@example.com");
  const context = await visit(browser, postern, { cookies, javaScriptEnabled: false });
  try {
    const page = await context.newPage();
    const device = await begin(postern);
    await page.goto("/device");
    await page.locator("#user_code:focus").waitFor();
    await page.keyboard.type(device.user_code.toLowerCase());
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /asks to act for you/ }).waitFor();
    const allow = page.getByRole("button", { name: /allow$/ });
    for (let presses = 0; presses < 20 && !(await allow.and(page.locator(":focus")).count()); presses += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Approved" }).waitFor();
    assert.equal((await poll(device, postern.issuer)).status, 200);
    assert.deepEqual(context.faults, []);
  } finally {
    await context.close();
  }
});

test("no page can frame it", async () => {
  const someone = await person("framed@example.com");
  await someone.open("/device");
  assert.equal(someone.headers.get("x-frame-options"), "DENY");
  assert.match(someone.headers.get("content-security-policy"), /frame-ancestors 'none'/);
  assert.match(someone.headers.get("content-security-policy"), /form-action 'self'/);
  assert.equal(someone.headers.get("referrer-policy"), "no-referrer");
});
