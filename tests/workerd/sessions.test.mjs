// Sessions: their cookie, their end, and who may end them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { deploy } from "./support/postern.mjs";
import { Browser, codeIn, forms, newestMail, signedIn } from "./support/person.mjs";
import { production } from "./support/production.mjs";
import { older, records, recordsOf, rewrite } from "./support/storage.mjs";

let postern;
before(async () => (postern = await deploy({ isolates: 2, vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" } })));
after(() => postern.stop());

const SESSION = "postern_session";
const cookieLines = (browser) => Object.fromEntries(browser.headers.getSetCookie().map((line) => [line.split("=")[0], line.split(/; */).slice(1).sort()]));
/** The same cookies in another window. */
const copy = (browser, base = postern.issuer) => Object.assign(new Browser(browser.postern, { base }), { cookies: new Map(browser.cookies) });
const listed = (browser) => (forms(browser.html)["/account/sessions/end"] ?? []).map(({ session }) => session);

/** The answer that signs somebody in, not followed. */
async function entering(browser, email, path = "/login") {
  await browser.open(path);
  await browser.submit("/login", { email });
  return browser.submit("/login/code", { code: codeIn((await newestMail(browser.postern, email)).text) }, { follow: false });
}

describe("the cookies", () => {
  test("of development are HttpOnly, SameSite=Lax and Path=/, and work over plain http (issue 1)", async () => {
    const browser = await new Browser(postern).open("/login");
    assert.deepEqual(cookieLines(browser), { postern_browser: ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=Lax"] });
    await entering(browser, "dev@example.com");
    assert.deepEqual(cookieLines(browser), { [SESSION]: ["HttpOnly", "Max-Age=86400", "Path=/", "SameSite=Lax"] });
    await browser.open("/account");
    await browser.submit("/logout", {}, { follow: false });
    assert.deepEqual(cookieLines(browser)[SESSION], ["HttpOnly", "Max-Age=0", "Path=/", "SameSite=Lax"]);
  });

  test("of production are __Host- and Secure too (issue 1)", async () => {
    const live = await production({ vars: { SESSION_TTL: "7200", SESSION_IDLE_TTL: "3600" } });
    try {
      const browser = await new Browser(live).open("/login");
      const attributes = (age) => ["HttpOnly", `Max-Age=${age}`, "Path=/", "SameSite=Lax", "Secure"];
      assert.deepEqual(cookieLines(browser), { "__Host-postern_browser": attributes(2592000) });
      await entering(browser, "live@example.com");
      assert.deepEqual(cookieLines(browser), { "__Host-postern_session": attributes(7200) });
      assert.equal(await signedIn(browser), "live@example.com");
      const [{ state, expires }] = recordsOf(live, "session");
      assert.equal(state.ends - state.signed_in, 7_200_000, "SESSION_TTL");
      assert.equal(expires - state.used, 3_600_000, "SESSION_IDLE_TTL");
      const plain = new Browser(live);
      plain.cookies.set(SESSION, browser.cookies.get("__Host-postern_session"));
      assert.equal(await signedIn(plain), null, "the name without __Host- counts for nothing");
      await browser.open("/account");
      await browser.submit("/logout", {}, { follow: false });
      assert.deepEqual(cookieLines(browser)["__Host-postern_session"], attributes(0));
    } finally {
      await live.stop();
    }
  });

  test("are set by no document, no agent's endpoint and no API (9)", async () => {
    for (const path of ["/", "/auth.md", "/style.css", "/passkey.js", "/.well-known/oauth-authorization-server", "/api/v1/auth/me", "/health", "/nowhere"]) {
      assert.deepEqual((await postern.get(path)).headers.getSetCookie(), [], path);
    }
    assert.deepEqual((await postern.json("/agent/identity", { type: "anonymous" })).headers.getSetCookie(), []);
  });
});

test("settings of session lives have bounds, and what is outside them is a fault (issue 1)", async () => {
  for (const vars of [{ SESSION_TTL: "299" }, { SESSION_TTL: "2592001" }, { SESSION_IDLE_TTL: "299" }, { SESSION_IDLE_TTL: "2592001" }, { SESSION_TTL: "a day" }]) {
    const faulty = await deploy({ vars, persist: false });
    try {
      assert.equal((await faulty.get("/login")).status, 500, JSON.stringify(vars));
    } finally {
      await faulty.stop();
    }
  }
});

test("signing in again gives another session, and the one before is dead at once (issue 1)", async () => {
  const browser = await new Browser(postern).signIn("rotate@example.com");
  const old = copy(browser);
  const before = browser.cookies.get(SESSION);
  await entering(browser, "rotate@example.com", "/login?max_age=0");
  assert.notEqual(browser.cookies.get(SESSION), before);
  assert.equal(await signedIn(browser), "rotate@example.com");
  assert.equal(await signedIn(old), null);
  assert.equal(await signedIn(copy(old, await postern.second())), null, "in another isolate too");
  await browser.open("/account");
  assert.deepEqual(listed(browser), [], "and it is not listed any more");
});

test("another person who signs in at the same browser ends the session before (issue 1)", async () => {
  const browser = await new Browser(postern).signIn("first@example.com");
  const old = copy(browser);
  await entering(browser, "next@example.com", "/login?max_age=0");
  assert.equal(await signedIn(browser), "next@example.com");
  assert.equal(await signedIn(old), null);
});

test("a session that somebody else has planted is not taken over by signing in (issue 1)", async () => {
  const planted = await new Browser(postern).signIn("planter@example.com");
  const victim = copy(planted);
  await entering(victim, "victim@example.com", "/login?max_age=0");
  assert.equal(await signedIn(victim), "victim@example.com");
  assert.notEqual(victim.cookies.get(SESSION), planted.cookies.get(SESSION));
  assert.equal(await signedIn(planted), null, "what was planted leads nowhere");
});

test("signing out ends the session at once, wherever its cookie is kept (issue 1)", async () => {
  const browser = await new Browser(postern).signIn("leave@example.com");
  const [kept, elsewhere] = [copy(browser), copy(browser, await postern.second())];
  assert.equal(await signedIn(elsewhere), "leave@example.com");
  await browser.submit("/logout", {}, { follow: false });
  assert.equal(browser.status, 303);
  assert.ok(!browser.cookies.has(SESSION));
  assert.equal(await signedIn(kept), null);
  assert.equal(await signedIn(elsewhere), null);
  await browser.open("/login");
  assert.equal(browser.status, 200);
});

test("a person sees their sessions, ends one, and ends all others (issue 1)", async () => {
  const browsers = [];
  for (let count = 0; count < 4; count += 1) browsers.push(await new Browser(postern).signIn("many@example.com"));
  const [mine, ...others] = browsers;
  await mine.open("/account");
  assert.equal(listed(mine).length, 3, "this one is not offered");
  assert.equal(mine.html.match(/Chrome on Linux/g).length >= 4, true);
  assert.equal(mine.html.match(/this browser/g).length, 1);
  const [ended] = listed(mine);
  await mine.submit("/account/sessions/end", { session: ended });
  assert.match(mine.html, /The session is over/);
  assert.ok(!listed(mine).includes(ended));
  const alive = async () => (await Promise.all(others.map(signedIn))).filter(Boolean).length;
  assert.equal(await alive(), 2);
  await mine.submit("/account/sessions/end-others");
  assert.equal(await alive(), 0);
  assert.equal(await signedIn(mine), "many@example.com");
  assert.deepEqual(listed(mine), []);
});

test("nobody ends or sees another person's session (issue 1)", async () => {
  const owner = await new Browser(postern).signIn("owner@example.com");
  const second = await new Browser(postern).signIn("owner@example.com");
  await owner.open("/account");
  const [session] = listed(owner);
  const thief = await new Browser(postern).signIn("thief@example.com");
  await thief.open("/account");
  assert.ok(!thief.html.includes(session));
  const { csrf } = forms(thief.html)["/logout"][0];
  for (const id of [session, "", "x", session.toUpperCase(), `${session}'--`]) {
    await thief.post("/account/sessions/end", { csrf, session: id });
    assert.ok(thief.status < 500, `${id} ${thief.status}`);
  }
  await thief.post("/account/sessions/end-others", { csrf });
  assert.equal(await signedIn(owner), "owner@example.com");
  assert.equal(await signedIn(second), "owner@example.com");
  await owner.open("/account");
  assert.deepEqual(listed(owner), [session], "it is still listed too");
});

test("a fresh sign-in can be demanded: max_age asks again, and only a new one goes on (issue 1, 98)", async () => {
  const browser = await new Browser(postern).signIn("fresh@example.com");
  await browser.send("/login?return_to=%2Faccount&max_age=600");
  assert.equal(browser.status, 303, "the sign-in is young enough");
  await browser.send("/login?return_to=%2Faccount&max_age=0");
  assert.equal(browser.status, 200);
  assert.match(browser.html, /Confirm that it is you/);
  assert.match(browser.html, /value="fresh@example\.com"[^>]*readonly/);
  assert.equal(await signedIn(browser), "fresh@example.com", "asking ends nothing");
  for (const age of ["-1", "x", "1e9", "99999999999999999999"]) {
    await browser.send(`/login?max_age=${age}`);
    assert.ok([200, 303].includes(browser.status), age);
  }
});

describe("a session that is over", () => {
  const later = (deployment, ms) => () => rewrite(deployment, "session", older(ms));

  test("by SESSION_IDLE_TTL or by SESSION_TTL signs nobody in (issue 1)", async () => {
    const own = await deploy({ vars: { SESSION_TTL: "1000", SESSION_IDLE_TTL: "600" } });
    try {
      const browser = await new Browser(own).signIn("idle@example.com");
      await own.restart({}, later(own, 590_000));
      assert.equal(await signedIn(copy(browser, own.issuer)), "idle@example.com");
      await own.restart({}, later(own, 400_000));
      assert.equal(await signedIn(copy(browser, own.issuer)), "idle@example.com", "its use was noted");
      await browser.send("/login?max_age=989");
      assert.equal(browser.status, 200, "auth_time is when the person signed in, not when they were last seen");
      await own.restart({}, later(own, 11_000));
      assert.equal(await signedIn(copy(browser, own.issuer)), null, "SESSION_TTL counts from the sign-in");
      const idle = await new Browser(own).signIn("idle@example.com");
      await own.restart({}, later(own, 600_000));
      assert.equal(await signedIn(idle), null);
    } finally {
      await own.stop();
    }
  });
});

test("forged cookies sign nobody in, break nothing, and create no object (issue 1)", async () => {
  const genuine = await new Browser(postern).signIn("forge@example.com");
  const cookie = genuine.cookies.get(SESSION);
  const [prefix, address, key] = cookie.split("_");
  const count = (await postern.mf.listDurableObjectIds("CELL")).length;
  const stored = records(postern).size;
  const flip = (text) => text.slice(0, -1) + (text.endsWith("A") ? "B" : "A");
  const invented = [
    "", "x", prefix, `${prefix}_${address}`, `${prefix}__${key}`, `${prefix}_${address}_`, `${prefix}_${flip(address)}_${key}`, `${prefix}_${address}_${flip(key)}`,
    `x${cookie}`, `${cookie}x`, `lgn_${address}_${key}`, cookie.toLowerCase(), `"${cookie}"`, "A".repeat(3000), `${prefix}_${"A".repeat(address.length)}_${"A".repeat(key.length)}`, "%00", "../../x",
  ];
  for (const value of invented) {
    const forger = new Browser(postern);
    forger.cookies.set(SESSION, value);
    assert.equal(await signedIn(forger), null, value);
    assert.equal(forger.status, 303);
    forger.cookies.set("postern_browser", value);
    await forger.open("/login");
    assert.equal(forger.status, 200, value);
  }
  assert.equal((await postern.mf.listDurableObjectIds("CELL")).length, count);
  assert.equal(records(postern).size, stored);
  assert.equal(await signedIn(genuine), "forge@example.com");
});
