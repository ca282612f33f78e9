// A real browser, what it must never do on our pages, and what can be read off a page that is shown.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { address, root } from "./postern.mjs";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
export const SCREENSHOTS = join(root, "target", "screenshots");
export const WIDTHS = [360, 1280];
export const SCHEMES = ["light", "dark"];

const axe = () => readFileSync(join(root, "node_modules", "axe-core", "axe.min.js"), "utf8");

/** Starts Chromium: `CHROMIUM` says where it is, if not in the usual place. */
export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  assert.ok(existsSync(executablePath), `no browser at ${executablePath}: apt-get install chromium, or set CHROMIUM`);
  return chromium.launch({ executablePath, args: FLAGS });
}

/** A person's own browser, with cookies and a network address of its own. `faults` is what it has complained of, or has asked of others. */
export async function visit(browser, postern, { cookies = new Map(), ...more } = {}) {
  const context = await browser.newContext({ baseURL: postern.issuer, reducedMotion: "reduce", extraHTTPHeaders: { "cf-connecting-ip": address() }, ...more });
  await context.addCookies([...cookies].map(([name, value]) => ({ name, value, url: postern.issuer, httpOnly: true, sameSite: "Lax" })));
  const faults = [];
  // A page that refuses is an error to the console, and nothing else is.
  const refusal = ({ location, text }) => /status of (4\d\d|503)/.test(text) && !/\.(css|js|svg)$|\/logo(\/|$)/.test(location.url);
  context.on("console", (message) => {
    const said = { text: message.text(), location: message.location() };
    if (["error", "warning"].includes(message.type()) && !refusal(said)) faults.push(`console: ${said.text} ${said.location.url}`);
  });
  context.on("weberror", (error) => faults.push(`script: ${error.error()}`));
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== postern.issuer) faults.push(`request to ${request.url()}`);
  });
  context.on("requestfailed", (request) => {
    if (!/ERR_ABORTED/.test(request.failure()?.errorText)) faults.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
  });
  return Object.assign(context, { faults });
}

/** Types an address, reads the mail, types the code. */
export async function signIn(page, email, codeFor) {
  await page.goto("/login");
  await page.getByLabel("E-mail address").fill(email);
  await page.getByRole("button", { name: "Mail me a code" }).click();
  await page.getByLabel("Code from the mail").fill(await codeFor(email));
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL("**/account");
}

/** Presses a button. A click waits for the page that it leads to, but not until that is there in whole. */
export async function press(page, name) {
  await page.getByRole("button", { name }).click();
  await page.waitForLoadState();
}

/** Looks at the page at every width and in both schemes: a picture of each, and whatever is wrong with it. */
export async function look(page, name) {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const faults = [];
  await page.evaluate(axe());
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      const where = `${name}-${width}-${colorScheme}`;
      await page.screenshot({ path: join(SCREENSHOTS, `${where}.png`), fullPage: true });
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      for (const { id, nodes } of violations) faults.push(`${where}: ${id}: ${nodes.map(({ html }) => html).join(" ").slice(0, 300)}`);
      faults.push(...(await page.evaluate(misfits)).map((fault) => `${where}: ${fault}`));
    }
  }
  return faults;
}

/** What does not fit: a page that scrolls sideways, text that is cut off, things to press that are too small for a finger (WCAG 2.5.8). */
function misfits() {
  const found = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) found.push(`scrolls sideways: ${scrollWidth} in ${clientWidth}`);
  for (const element of document.querySelectorAll("main *, header *, footer *")) {
    if (!element.checkVisibility() || element.closest(".unseen, svg")) continue;
    // What scrolls by itself may be wider.
    if (element.parentElement.closest("pre")) continue;
    const box = element.getBoundingClientRect();
    const label = `${element.tagName.toLowerCase()}.${element.className} ${element.textContent.trim().slice(0, 40)}`;
    if (box.right > clientWidth + 1 || box.left < -1) found.push(`beyond the edge: ${label}`);
    const style = getComputedStyle(element);
    const clips = element.tagName !== "INPUT" && style.overflowX !== "visible" && style.textOverflow !== "ellipsis" && !["auto", "scroll"].includes(style.overflowX);
    if (clips && element.scrollWidth > element.clientWidth + 1) found.push(`cut off: ${label}`);
    const words = element.children.length === 0 && element.textContent.trim();
    if (words && words.length > 6 && box.width < 48 && box.height > 60) found.push(`crushed to ${Math.round(box.width)}x${Math.round(box.height)}: ${label}`);
    const pressed = element.matches("button, summary, input:not([type=hidden])") || element.matches("a.button");
    if (pressed && (box.height < 24 || box.width < 24)) found.push(`too small to press (${box.width}x${box.height}): ${label}`);
  }
  return found;
}
