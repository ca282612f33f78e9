// What an operator can make of the pages: a name, a logo, colours, all from our own origin.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, look, visit } from "./support/chromium.mjs";
import { deploy } from "./support/postern.mjs";
import { Browser } from "./support/person.mjs";

const LOGO = "https://cdn.example.com/logo.svg";
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><script>document.title="owned"</script><rect width="32" height="32" fill="#0b57d0"/></svg>';
const VARS = { SERVICE_NAME: 'Cats & <b>"Dogs"</b>', SERVICE_LOGO: LOGO, THEME_COLOR: "#0b57d0", THEME_COLOR_DARK: "#a8c7fa" };

let postern, browser, picture;
const calls = [];
const svg = () => new Response(SVG, { headers: { "content-type": "image/svg+xml" } });
before(async () => {
  picture = svg;
  const outboundService = (request) => (calls.push(request.url), picture());
  [postern, browser] = await Promise.all([deploy({ vars: VARS, options: { outboundService } }), launch()]);
});
after(() => Promise.all([postern.stop(), browser.close()]));

test("name, logo and colours show on the pages, and nobody else is asked for them (issue 1)", async () => {
  const context = await visit(browser, postern);
  const page = await context.newPage();
  await page.goto("/login");
  assert.equal(await page.locator(".brand span").textContent(), VARS.SERVICE_NAME);
  assert.ok((await page.title()).endsWith(VARS.SERVICE_NAME));
  assert.ok(await page.locator(".brand img").evaluate((image) => image.complete && image.naturalWidth > 0 && new URL(image.src).pathname === "/logo"));
  const colour = () => page.locator("button.button").first().evaluate((button) => getComputedStyle(button).backgroundColor);
  assert.equal(await colour(), "rgb(11, 87, 208)");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.waitForFunction(() => getComputedStyle(document.querySelector("button.button")).backgroundColor === "rgb(168, 199, 250)");
  assert.deepEqual(await look(page, "theme"), []);
  assert.deepEqual(context.faults, []);
  await context.close();
  assert.deepEqual(calls, [LOGO], "once, by the worker");
});

test("a logo that is opened as a page runs nothing (issue 1)", async () => {
  const answer = await postern.get("/logo");
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-security-policy"), /default-src 'none';.*sandbox/);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  const context = await visit(browser, postern);
  const page = await context.newPage();
  await page.goto("/logo");
  assert.notEqual(await page.title(), "owned");
  await context.close();
});

test("a logo that is no picture, too large, or elsewhere by now is none, and pages go on without it (issue 1)", async () => {
  const answers = [
    () => new Response("<script>alert(1)</script>", { headers: { "content-type": "text/html" } }),
    () => new Response("no", { status: 500, headers: { "content-type": "image/png" } }),
    () => new Response(new Uint8Array(300_000), { headers: { "content-type": "image/png" } }),
    () => Response.redirect("https://evil.example/logo.png", 302),
    () => new Response("{}"),
  ];
  for (const answer of answers) {
    picture = answer;
    await postern.restart();
    calls.length = 0;
    const logo = await postern.get("/logo");
    assert.equal(logo.status, 404, String(answer));
    assert.deepEqual(calls, [LOGO]);
    assert.equal((await new Browser(postern).open("/login")).status, 200);
  }
  picture = svg;
});

test("colours that are none, and a logo over http, are faults (issue 1)", async () => {
  for (const vars of [{ THEME_COLOR: "red" }, { THEME_COLOR: "#12345" }, { THEME_COLOR: "#fff;} body{display:none" }, { THEME_COLOR_DARK: "#gggggg" }, { SERVICE_LOGO: "http://cdn.example.com/x.png" }, { SERVICE_LOGO: "javascript:alert(1)" }]) {
    const faulty = await deploy({ vars, persist: false });
    try {
      assert.equal((await faulty.get("/login")).status, 500, JSON.stringify(vars));
    } finally {
      await faulty.stop();
    }
  }
});
