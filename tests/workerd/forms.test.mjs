// Whose form it is: every form and every call of a script comes from a page of ours, in the browser and session that it was made for.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { register, registerKey } from "./support/agent.mjs";
import { attemptToken, complete, poll, start } from "./support/claim.mjs";
import { deploy } from "./support/postern.mjs";
import { asked, Browser, codeIn, forms, newestMail, signedIn } from "./support/person.mjs";
import { local } from "./support/production.mjs";
import { records } from "./support/storage.mjs";

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "100000", MAILS_PER_HOUR: "100000", MAILS_PER_NETWORK_PER_HOUR: "1000", TRACE: "off" } })));
after(() => postern.stop());

const EMAIL = "forms@example.com";
const csrfOf = (browser) => /<meta name="csrf" content="([^"]*)"/.exec(browser.html)[1];

/** An attempt for this person that waits for an answer: its token and typed code. */
async function attempt(email) {
  const agent = await register(postern);
  const { body } = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: email });
  return { agent, user_code: body.claim_attempt.user_code, claim_attempt_token: attemptToken(body.claim_attempt.verification_uri) };
}

/** A claimed agent of this person. */
async function claimed(browser, email) {
  const { agent, user_code, claim_attempt_token } = await attempt(email);
  await browser.open(`/claim?claim_attempt_token=${claim_attempt_token}`);
  await browser.submit("/agent/identity/claim/complete", { user_code });
  assert.match(browser.html, /Approved/);
  await poll(postern, agent.claim_token);
  return agent;
}

/** What every form sends, made anew so that it would work; `signedOut` where nobody needs to have signed in. */
const FORMS = {
  "/login": async () => ({ fields: { email: EMAIL, return_to: "/account" }, works: 200 }),
  "/login/code": async () => {
    const { browser, code } = await asked(postern, EMAIL);
    return { fields: { ...forms(browser.html)["/login/code"][0], code }, works: 303 };
  },
  "/login/link": async () => ({ fields: { token: new URL((await asked(postern, EMAIL)).link).searchParams.get("token") }, works: 303 }),
  "/logout": async () => ({ fields: {}, works: 303 }),
  "/claim/code": async () => ({ fields: await attempt(EMAIL), works: 409 }),
  "/claim/deny": async () => ({ fields: await attempt(EMAIL), works: 200 }),
  "/agent/identity/claim/complete": async () => ({ fields: await attempt(EMAIL), works: 200 }),
  "/account/agents/revoke": async (browser) => ({ fields: { registration: (await claimed(browser, EMAIL)).registration_id }, works: 303 }),
  "/account/agents/revoke-all": async (browser) => (await claimed(browser, EMAIL), { fields: {}, works: 303 }),
  "/account/passkeys/remove": async () => ({ fields: { credential: "AAAA" }, works: 303 }),
  "/account/sessions/end": async (browser) => {
    await new Browser(postern).signIn(EMAIL);
    await browser.open("/account");
    return { fields: { session: forms(browser.html)["/account/sessions/end"][0].session }, works: 303 };
  },
  "/account/sessions/end-others": async () => (await new Browser(postern).signIn(EMAIL), { fields: {}, works: 303 }),
};

const GOOD = { origin: "null", "sec-fetch-site": "same-origin" };
const WRONG_HEADERS = [
  { ...GOOD, origin: "https://evil.example" },
  { ...GOOD, origin: "http://localhost:1" },
  { ...GOOD, origin: "file://" },
  { ...GOOD, origin: "x" },
  { ...GOOD, "sec-fetch-site": "cross-site" },
  { ...GOOD, "sec-fetch-site": "same-site" },
  { origin: "null", "sec-fetch-site": "SAME-ORIGIN, cross-site" },
];

/** Tokens of other browsers, other sessions, and no token at all. */
async function wrongTokens(browser) {
  const stranger = await new Browser(postern).open("/login");
  const someone = await new Browser(postern).signIn("someone@example.com");
  await someone.open("/account");
  const signedOut = Object.assign(new Browser(postern), { cookies: new Map([...browser.cookies].filter(([name]) => name === "postern_browser")) });
  await signedOut.open("/login");
  const sibling = await new Browser(postern).signIn(EMAIL);
  await sibling.open("/account");
  const own = csrfOf(browser);
  return { none: undefined, empty: "", "a made up one": "x".repeat(own.length), "a longer one": `${own}x`, "another browser's": csrfOf(stranger), "another person's": csrfOf(someone), "the same browser's before signing in": csrfOf(signedOut), "another session's of the same person": csrfOf(sibling) };
}

for (const [action, make] of Object.entries(FORMS)) {
  test(`a form for ${action} counts from our page, browser and session alone (37)`, async () => {
    const browser = await new Browser(postern).signIn(EMAIL);
    const { fields, works } = await make(browser);
    await browser.open("/account");
    delete fields.agent;
    delete fields.csrf;
    const csrf = csrfOf(browser);
    const tokens = await wrongTokens(browser);
    const stored = () => JSON.stringify([...records(postern)]);
    const before = stored();
    for (const [whose, token] of Object.entries(tokens)) {
      await browser.post(action, { ...fields, ...(token === undefined ? {} : { csrf: token }) });
      assert.equal(browser.status, 403, `with ${whose} token: ${browser.status}`);
      assert.match(browser.headers.get("content-type"), /^text\/html/);
      assert.match(browser.html, /This form is too old/);
    }
    for (const headers of WRONG_HEADERS) {
      await browser.post(action, { ...fields, csrf }, headers);
      assert.equal(browser.status, 403, JSON.stringify(headers));
    }
    const bodies = [["application/json", JSON.stringify({ ...fields, csrf })], ["text/plain", new URLSearchParams({ ...fields, csrf }).toString()], ["multipart/form-data; boundary=x", `--x\r\ncontent-disposition: form-data; name="csrf"\r\n\r\n${csrf}\r\n--x--`], ["", new URLSearchParams({ ...fields, csrf }).toString()]];
    for (const [type, body] of bodies) {
      await browser.send(action, { method: "POST", headers: { ...GOOD, "content-type": type }, body: new TextEncoder().encode(body) });
      assert.ok([400, 401, 415].includes(browser.status), `${type}: ${browser.status}`);
    }
    await browser.send(`${action}?${new URLSearchParams({ ...fields, csrf })}`, { method: "POST", headers: { ...GOOD, "content-type": "application/x-www-form-urlencoded" }, body: "" });
    assert.equal(browser.status, 403, "what stands in the query is no form");
    const strange = Object.assign(new Browser(postern), { cookies: new Map([...browser.cookies].filter(([name]) => name !== "postern_browser")) });
    await strange.post(action, { ...fields, csrf });
    assert.equal(strange.status, 403, "without the browser's cookie");
    assert.equal(stored(), before, "nothing has changed");
    await browser.post(action, { ...fields, csrf });
    assert.equal(browser.status, works, `the genuine one works: ${browser.html}`);
  });
}

test("the challenge of auth.md v0.1 is given to no other site's page, whatever cookies it sends along (37)", async () => {
  const email = "challenge@example.com";
  const agent = await registerKey(postern);
  assert.equal((await postern.json("/agent/auth/claim", { claim_token: agent.claim_token, email })).status, 200);
  const link = (await newestMail(postern, email)).links[0];
  const body = JSON.stringify({ claim_attempt_token: new URL(link).searchParams.get("claim_attempt_token") });
  for (const browser of [new Browser(postern), await new Browser(postern).signIn(email)]) {
    for (const headers of WRONG_HEADERS) {
      await browser.send("/agent/auth/claim/attempt/challenge", { method: "POST", headers: { ...headers, "content-type": "application/json" }, body });
      assert.equal(browser.status, 403, browser.html);
    }
    for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
      await browser.send("/agent/auth/claim/attempt/challenge", { method: "POST", headers: { ...GOOD, "content-type": type }, body });
      assert.ok([400, 415].includes(browser.status), browser.html);
    }
  }
  const early = await postern.json("/agent/auth/claim/complete", { claim_token: agent.claim_token, otp: "000000" });
  assert.equal((await early.json()).error, "otp_not_generated", "no code was made");
});

test("a form without Origin and Sec-Fetch-Site, as old browsers send it, works with its token (37)", async () => {
  const browser = await new Browser(postern).open("/login");
  const { csrf } = forms(browser.html)["/login"][0];
  await browser.send("/login", { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ csrf, email: "old@example.com" }).toString() });
  assert.equal(browser.status, 200);
  await browser.submit("/login/code", { code: codeIn((await newestMail(postern, "old@example.com")).text) });
  assert.equal(await signedIn(browser), "old@example.com");
});

test("a form that names a field twice is refused (31)", async () => {
  const browser = await new Browser(postern).open("/login");
  const { csrf } = forms(browser.html)["/login"][0];
  await browser.send("/login", { method: "POST", headers: { ...GOOD, "content-type": "application/x-www-form-urlencoded" }, body: `csrf=${csrf}&email=a%40example.com&email=b%40example.com` });
  assert.equal(browser.status, 400);
});

test("a person's form with the agent's token in it is refused, and a person's cookie opens nothing for an agent's JSON (issue 2)", async () => {
  const browser = await new Browser(postern).signIn(EMAIL);
  const { agent, user_code, claim_attempt_token } = await attempt(EMAIL);
  await browser.open(`/claim?claim_attempt_token=${claim_attempt_token}`);
  await browser.submit("/agent/identity/claim/complete", { user_code, claim_token: agent.claim_token });
  assert.equal(browser.status, 400);
  const csrf = csrfOf(await browser.open("/account"));
  await browser.send("/agent/identity/claim/complete", { method: "POST", headers: { ...GOOD, "content-type": "application/json" }, body: JSON.stringify({ csrf, claim_attempt_token, user_code }) });
  assert.ok(browser.status >= 400 && browser.status < 500);
  assert.notEqual((await complete(postern, agent.claim_token, user_code)).status, 200);
  assert.equal((await poll(postern, agent.claim_token)).body.error, "authorization_pending");
});

describe("calls of the script", () => {
  const CALLS = ["/login/passkey/options", "/login/passkey", "/account/passkeys/options", "/account/passkeys"];

  for (const path of CALLS) {
    test(`to ${path} need the token in a header that no other site can send, and answer in JSON (37)`, async () => {
      const browser = await new Browser(postern).signIn(EMAIL);
      await browser.open("/account");
      const csrf = csrfOf(browser);
      const call = (headers, body = "{}") => browser.send(path, { method: "POST", headers: { ...GOOD, "content-type": "application/json", ...headers }, body });
      for (const [whose, token] of Object.entries(await wrongTokens(browser))) {
        await call(token ? { "x-csrf": token } : {});
        assert.equal(browser.status, 403, whose);
        assert.match(browser.headers.get("content-type"), /^application\/json/);
        assert.equal(JSON.parse(browser.html).error, "origin_not_allowed");
        assert.equal(browser.headers.get("access-control-allow-origin"), null);
        assert.equal(browser.headers.get("cache-control"), "no-store");
      }
      for (const headers of WRONG_HEADERS) {
        await call({ ...headers, "x-csrf": csrf });
        assert.equal(browser.status, 403, JSON.stringify(headers));
      }
      await call({ "x-csrf": csrf, origin: postern.issuer });
      assert.ok(path.endsWith("options") ? browser.status === 200 : browser.status === 400, `${browser.status} ${browser.html}`);
    });
  }

  test("to /account ask somebody who has signed in (issue 1)", async () => {
    const browser = await new Browser(postern).open("/login");
    for (const path of ["/account/passkeys/options", "/account/passkeys"]) {
      await browser.open("/login");
      await browser.send(path, { method: "POST", headers: { ...GOOD, "content-type": "application/json", "x-csrf": csrfOf(browser) }, body: "{}" });
      assert.equal(browser.status, 401, path);
    }
  });
});

test("what another site's page may ask of ours is refused before the browser sends it (37)", async () => {
  for (const path of [...Object.keys(FORMS), "/account", "/claim", "/login/passkey", "/account/passkeys", "/agent/auth/claim/attempt/challenge", "/dev/outbox"]) {
    if (path === "/agent/identity/claim/complete") continue;
    const answer = await fetch(postern.issuer + path, { method: "OPTIONS", headers: { origin: "https://evil.example", "access-control-request-method": "POST", "access-control-request-headers": "x-csrf" } });
    assert.equal(answer.headers.get("access-control-allow-origin"), null, path);
    assert.equal(answer.headers.get("access-control-allow-credentials"), null, path);
    assert.ok(!/x-csrf/i.test(answer.headers.get("access-control-allow-headers") ?? ""), path);
  }
});

describe("every page", () => {
  test("is unframeable, kept by nobody, without referrer, with a nonce of its own, and readable by no other site (37, 75, 160, issue 1)", async () => {
    const browser = await new Browser(postern).signIn(EMAIL);
    const visitor = await new Browser(postern).open("/login");
    const { link } = await asked(postern, EMAIL);
    const { claim_attempt_token } = await attempt(EMAIL);
    const page = `/claim?claim_attempt_token=${claim_attempt_token}`;
    const pages = [[visitor, "/login", 200], [visitor, local(link), 200], [visitor, "/login/link?token=x", 410], [visitor, "/claim?claim_attempt_token=x", 404], [browser, "/account", 200], [browser, page, 200], [browser, "/login?max_age=0", 200], [browser, "/login?email=%00", 400], [browser, "/login?a=1&a=2", 400], [await new Browser(postern).signIn("someone@example.com"), page, 403]];
    const nonces = new Set();
    const check = (who, path) => {
      const { headers } = who;
      const nonce = /script-src 'nonce-([A-Za-z0-9_-]{16,})';/.exec(headers.get("content-security-policy"))?.[1];
      assert.ok(nonce && !nonces.has(nonce), path);
      nonces.add(nonce);
      for (const [, given] of who.html.matchAll(/<script\b[^>]*nonce="([^"]*)"/g)) assert.equal(given, nonce, path);
      assert.equal((who.html.match(/<script\b/g) ?? []).length, (who.html.match(/<script nonce=/g) ?? []).length, path);
      assert.ok(!/\son[a-z]+=|javascript:|<style|\sstyle=/i.test(who.html), `${path}: nothing inline`);
      const policy = headers.get("content-security-policy").replace(`'nonce-${nonce}'`, "NONCE");
      assert.equal(policy, "default-src 'none'; style-src 'self'; script-src NONCE; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", path);
      const expected = { "x-frame-options": "DENY", "referrer-policy": "no-referrer", "cache-control": "no-store", "x-content-type-options": "nosniff", "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin", "content-type": "text/html; charset=utf-8" };
      for (const [name, value] of Object.entries(expected)) assert.equal(headers.get(name), value, `${path} ${name}`);
      for (const [name] of headers) assert.ok(!name.startsWith("access-control"), `${path} ${name}`);
      for (const [, url] of who.html.matchAll(/\b(?:src|href|action)="([^"]*)"/g)) assert.match(url, /^\/(?!\/)/, `${path} loads or leads to ${url}`);
    };
    for (const [who, path, status] of pages) {
      await who.send(path);
      assert.equal(who.status, status, path);
      check(who, path);
    }
    await visitor.post("/login", {});
    assert.equal(visitor.status, 403);
    check(visitor, "a refused form");
  });

  test("that sends one on is kept by nobody either, and tells no referrer (37)", async () => {
    const visitor = await new Browser(postern).send("/account");
    assert.equal(visitor.status, 303);
    assert.equal(visitor.headers.get("cache-control"), "no-store");
    assert.equal(visitor.headers.get("referrer-policy"), "no-referrer");
    assert.equal(visitor.headers.get("location"), "/login?return_to=%2Faccount");
  });

  test("knows its methods (159)", async () => {
    const expected = { "/login": "GET, HEAD, POST, OPTIONS", "/login/code": "POST, OPTIONS", "/login/link": "GET, HEAD, POST, OPTIONS", "/logout": "POST, OPTIONS", "/account": "GET, HEAD, OPTIONS", "/claim": "GET, HEAD, OPTIONS", "/claim/code": "POST, OPTIONS" };
    for (const [path, allow] of Object.entries(expected)) {
      for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE"].filter((method) => !allow.includes(method))) {
        const visitor = await new Browser(postern).send(path, { method });
        assert.deepEqual([visitor.status, visitor.headers.get("allow")], [405, allow], `${method} ${path}`);
      }
      for (const other of [`${path}/`, path.toUpperCase()]) assert.equal((await new Browser(postern).send(other)).status, 404, other);
    }
  });
});
