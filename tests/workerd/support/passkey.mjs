// A person with a device that makes passkeys: Chromium and its virtual authenticator.
import assert from "node:assert/strict";
import { visit } from "./chromium.mjs";
import { Browser, signedIn } from "./person.mjs";

const AUTHENTICATOR = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: false };

/**
 * A person at Chromium, signed in by mail, with a device that can make passkeys. They touch it for what they have asked for themselves. What
 * a page offers by itself waits, unless `touch(true)` went before: then it is as if they had chosen the passkey from the list.
 */
export async function device(browser, email, postern) {
  const person = await new Browser(postern).signIn(email);
  const context = await visit(browser, postern, { cookies: person.cookies });
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options: AUTHENTICATOR });
  const touch = (enabled) => cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });
  await page.exposeFunction("touchTheDevice", touch);
  await page.addInitScript(touching);
  const cookies = async () => Object.assign(new Browser(postern), { cookies: new Map((await context.cookies()).map(({ name, value }) => [name, value])) });
  return { email, postern, context, page, cdp, authenticatorId, touch, cookies, who: async () => signedIn(await cookies()), signOut: () => context.clearCookies({ name: "postern_session" }) };
}

/** In the page: a device that is asked before it is touched waits for good, so it is touched first, and left alone again afterwards. */
function touching() {
  for (const name of ["get", "create"]) {
    const ask = navigator.credentials?.[name].bind(navigator.credentials);
    if (!ask) return;
    navigator.credentials[name] = async (options) => {
      if (options.mediation === "conditional") return ask(options);
      await globalThis.touchTheDevice(true);
      return ask(options).finally(() => globalThis.touchTheDevice(false));
    };
  }
}

export async function add({ page }, name = "My laptop") {
  await page.goto("/account");
  await page.getByLabel("Name for a new passkey").fill(name);
  await page.getByRole("button", { name: "Add a passkey" }).click();
  await page.getByRole("heading", { name }).waitFor();
}

/** Signs in by the button, which is not to be seen before the script hears it. */
export async function enter({ page }, path = "/login") {
  await page.goto(path);
  await page.getByRole("button", { name: "Sign in with a passkey" }).click();
  await page.waitForURL((url) => url.pathname !== "/login");
}

/** An answer of the device for /login/passkey that is made in the page and not sent; `more` goes into the options. */
export async function assertion({ page }, more = {}) {
  // A page of ours whose script asks for nothing by itself.
  await page.goto("/claim?claim_attempt_token=x");
  return page.evaluate(async (more) => {
    const csrf = document.querySelector('meta[name="csrf"]').content;
    const headers = { "content-type": "application/json", "x-csrf": csrf };
    const { publicKey } = await (await fetch("/login/passkey/options", { method: "POST", headers, body: "{}" })).json();
    const options = PublicKeyCredential.parseRequestOptionsFromJSON({ ...publicKey, ...more });
    const credential = await navigator.credentials.get({ publicKey: options });
    return { csrf, credential: credential.toJSON() };
  }, more);
}

/** Sends it with the cookies of that browser. */
export async function send(there, { csrf, credential }) {
  const visitor = await there.cookies();
  await visitor.send("/login/passkey", { method: "POST", headers: { "content-type": "application/json", "x-csrf": csrf, origin: visitor.postern.issuer, "sec-fetch-site": "same-origin" }, body: JSON.stringify({ credential }) });
  return visitor;
}

export const flags = ({ credential }) => Buffer.from(credential.response.authenticatorData, "base64url")[32];
export const decoded = (text) => JSON.parse(Buffer.from(text, "base64url"));
export const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export async function refusedAs(visitor, about) {
  assert.deepEqual([visitor.status, JSON.parse(visitor.html).error], [400, "access_denied"], about);
  assert.ok(!visitor.cookies.has("postern_session"), about);
}
