// A person at a browser without script: cookies, forms, and the mail that development keeps.
import assert from "node:assert/strict";
import { face } from "./answers.mjs";
import { address } from "./postern.mjs";

/** What the forms of a page would send: hidden fields by the form's action. */
export function forms(html) {
  const found = {};
  for (const [, open, body] of html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
    const action = /action="([^"]*)"/.exec(open)?.[1];
    // One that the page's script sends.
    if (action === undefined) continue;
    const fields = {};
    for (const [, attributes] of body.matchAll(/<(?:input|button)\b([^>]*)>/g)) {
      const name = /name="([^"]*)"/.exec(attributes)?.[1];
      const value = /value="([^"]*)"/.exec(attributes)?.[1];
      if (name && value !== undefined) fields[name] ??= unescape(value);
    }
    (found[action] ??= []).push(fields);
  }
  return found;
}

const unescape = (text) => text.replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(code)).replace(/&quot;/g, '"').replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

/** A browser with its cookies. It follows no redirect by itself. */
export class Browser {
  constructor(postern, { ip = address(), base = postern.issuer } = {}) {
    Object.assign(this, { postern, base, ip, cookies: new Map(), html: "", status: 0, url: "" });
  }

  async send(path, init = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { "cf-connecting-ip": this.ip, "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0", ...(cookie ? { cookie } : {}), ...init.headers };
    const response = await fetch(new URL(path, this.base), { ...init, headers, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      if (attributes.some((attribute) => attribute.toLowerCase() === "max-age=0")) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    this.html = await response.text();
    this.status = response.status;
    this.headers = response.headers;
    this.url = path;
    return this;
  }

  /** Opens a page, and goes where it leads. */
  async open(path) {
    await this.send(path);
    for (let hops = 0; [302, 303].includes(this.status) && hops < 5; hops += 1) await this.send(this.headers.get("location"));
    return this;
  }

  /** Sends a form of the page that is open, with these fields on top. */
  async submit(action, fields = {}, { headers = {}, follow = true, index = 0 } = {}) {
    const form = forms(this.html)[action]?.[index];
    assert.ok(form, `no form for ${action} on ${this.url} (${this.status}): ${Object.keys(forms(this.html))}\n${this.html.slice(0, 3000)}`);
    await this.post(action, { ...form, ...fields }, headers);
    if (follow && [302, 303].includes(this.status)) await this.open(this.headers.get("location"));
    return this;
  }

  /** Sends any form, as browsers do: with Sec-Fetch-Site, and with the origin null since our pages send no referrer. */
  post(action, fields, headers = {}) {
    const sent = { "content-type": "application/x-www-form-urlencoded", origin: "null", "sec-fetch-site": "same-origin", ...headers };
    return this.send(action, { method: "POST", headers: sent, body: new URLSearchParams(fields).toString() });
  }

  /** Signs in with the code that comes by mail. */
  async signIn(email, path = "/login") {
    await this.open(path);
    await this.submit("/login", { email });
    assert.equal(this.status, 200, this.html);
    const { text } = await newestMail(this.postern, email);
    await this.submit("/login/code", { code: codeIn(text) });
    return this;
  }
}

/** The mail to this address, newest first: what development keeps, or what a provider of ours has taken. */
export async function mails(postern, to) {
  if (postern.taken) return postern.taken.filter((mail) => mail.to.toLowerCase() === to.toLowerCase()).reverse();
  const response = await fetch(`${postern.issuer}/dev/outbox`);
  assert.equal(response.status, 200);
  return (await response.json()).filter((mail) => mail.to.toLowerCase() === to.toLowerCase());
}

export async function newestMail(postern, to) {
  const [mail] = await mails(postern, to);
  assert.ok(mail, `no mail to ${to}`);
  return mail;
}

/** The six digits in a letter. */
export const codeIn = (text) => /(?<![\d-])(\d{3} ?\d{3})(?!\d)/.exec(text)[1].replace(" ", "");

/** The code on a page that shows one. */
export const codeOn = (html) => /class="shown"[^>]*><span>(\d+)<\/span><span>(\d+)<\/span>/.exec(html)?.slice(1).join("");

/** All that a browser can see of the page that is open, less what is another on every page: tokens, the nonce, and these words. */
export function shown(browser, ...words) {
  const text = words.reduce((html, word) => html.replaceAll(word, "WORD"), browser.html);
  return face({ status: browser.status, headers: browser.headers, text }).replace(/'nonce-[^']*'/g, "NONCE").replace(/nonce="[^"]*"/g, "NONCE").replace(/_browser=\w+/g, "BROWSER").replace(/name="csrf" (value|content)="[^"]*"|value="lgn_[^"]*"/g, "TOKEN");
}

/** A browser that has asked for a code for this address, and the code. */
export async function asked(postern, email, browser = new Browser(postern)) {
  await browser.open("/login");
  await browser.submit("/login", { email });
  assert.equal(browser.status, 200, browser.html);
  const letter = await newestMail(postern, email);
  return { browser, code: codeIn(letter.text), link: letter.links[0] };
}

/** A code that is not this one. */
export const wrong = (code, by = 1) => String((Number(code) + by) % 1_000_000).padStart(6, "0");

/** Whether somebody is signed in here, and who. */
export async function signedIn(browser) {
  const { status, html } = await browser.send("/account");
  return status === 200 ? /Signed in as <strong><bdi>([^<]*)</.exec(html)[1] : null;
}
