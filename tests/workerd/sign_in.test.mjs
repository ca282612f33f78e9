// Signing in by mail: the code, who may use it, and how often.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { deploy, OPERATOR_KEY, ROUNDS } from "./support/postern.mjs";
import { asked, Browser, codeIn, forms, mails, newestMail, shown, signedIn, wrong } from "./support/person.mjs";
import { production } from "./support/production.mjs";
import { bytes, recordsOf } from "./support/storage.mjs";

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000", MAILS_PER_HOUR: "100000" } })));
after(() => postern.stop());

const login = (email) => recordsOf(postern, "login").find((record) => record.state.email === email);
const statuses = (answers) => Object.entries(Object.groupBy(answers, ({ status }) => status)).map(([status, all]) => `${status}: ${all.length}`).join(", ");

/** Many requests of one browser at once: its cookies, but each answer apart. */
const alike = ({ ip, cookies }) => Object.assign(new Browser(postern, { ip }), { cookies: new Map(cookies) });
const atOnce = (browser, action, forms) => Promise.all(forms.map((fields) => alike(browser).post(action, fields)));

test("a code has six digits, and signs in once (issue 1)", async () => {
  const { browser, code } = await asked(postern, "once@example.com");
  assert.match(code, /^\d{6}$/);
  const form = forms(browser.html)["/login/code"][0];
  await browser.submit("/login/code", { code }, { follow: false });
  assert.equal(browser.status, 303);
  assert.equal(browser.headers.get("location"), "/account");
  assert.equal(await signedIn(browser), "once@example.com");
  const again = await new Browser(postern).open("/login");
  const csrf = forms(again.html)["/login"][0].csrf;
  await again.post("/login/code", { ...form, csrf, code });
  assert.equal(again.status, 410);
  assert.equal(await signedIn(again), null);
});

test("of 100 parallel tries with the right code one signs in (issue 1)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { browser, code } = await asked(postern, `right-${round}@example.com`);
    const form = forms(browser.html)["/login/code"][0];
    const answers = await atOnce(browser, "/login/code", Array.from({ length: 100 }, () => ({ ...form, code })));
    assert.equal(statuses(answers), "303: 1, 410: 99");
    assert.equal(answers.filter(({ cookies }) => cookies.has("postern_session")).length, 1);
  }
});

test("of 100 parallel wrong codes five are looked at, and then the right one is refused too (issue 1, 67)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { browser, code } = await asked(postern, `wrong-${round}@example.com`);
    const form = forms(browser.html)["/login/code"][0];
    const answers = await atOnce(browser, "/login/code", Array.from({ length: 100 }, (_, by) => ({ ...form, code: wrong(code, by + 1) })));
    assert.equal(statuses(answers), "400: 4, 410: 96", "the fifth closes it");
    assert.equal(login(`wrong-${round}@example.com`).state.wrong, 5);
    await browser.post("/login/code", { ...form, code });
    assert.equal(browser.status, 410);
    assert.equal(await signedIn(browser), null);
  }
});

test("a right code among 99 wrong ones signs in at most once (issue 1)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { browser, code } = await asked(postern, `mixed-${round}@example.com`);
    const form = forms(browser.html)["/login/code"][0];
    const answers = await atOnce(browser, "/login/code", Array.from({ length: 100 }, (_, by) => ({ ...form, code: by === 3 + 20 * round ? code : wrong(code, by + 1) })));
    const entered = answers.filter(({ status }) => status === 303).length;
    const looked = answers.filter(({ status }) => status === 400).length;
    assert.ok(entered <= 1 && looked <= 4, statuses(answers));
  }
});

test("four wrong codes leave a fifth try for the right one (issue 1)", async () => {
  const { browser, code } = await asked(postern, "four@example.com");
  for (let by = 1; by <= 4; by += 1) {
    await browser.submit("/login/code", { code: wrong(code, by) });
    assert.equal(browser.status, 400);
    assert.match(browser.html, /That is not the code/);
  }
  await browser.submit("/login/code", { code });
  assert.equal(await signedIn(browser), "four@example.com");
});

test("what is no code is refused without counting as a try, and spaces do not matter (66)", async () => {
  const { browser, code } = await asked(postern, "format@example.com");
  const wide = [...code].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join("");
  for (const text of ["", "12345", `${code}0`, `0${code}`, wide, "abcdef", `-${code.slice(1)}`, `${code.slice(1)}.`, "1e5   "]) {
    await browser.submit("/login/code", { code: text });
    assert.equal(browser.status, 400, JSON.stringify(text));
    assert.match(browser.html, /A code has six digits/, JSON.stringify(text));
  }
  assert.equal(login("format@example.com").state.wrong, 0);
  await browser.submit("/login/code", { code: ` ${code.slice(0, 3)} ${code.slice(3)} ` });
  assert.equal(await signedIn(browser), "format@example.com");
});

test("a code works on the page that asked for it and in no other browser (issue 1)", async () => {
  const one = await asked(postern, "mine@example.com");
  const other = await asked(postern, "theirs@example.com");
  await other.browser.submit("/login/code", { code: one.code });
  assert.equal(other.browser.status, 400);
  const same = await asked(postern, "mine@example.com");
  await same.browser.submit("/login/code", { code: one.code === same.code ? wrong(same.code) : one.code });
  assert.equal(same.browser.status, 400, "not even for the same address");
  const invented = new Browser(postern);
  await invented.open("/login");
  const { csrf } = forms(invented.html)["/login"][0];
  const genuine = forms(one.browser.html)["/login/code"][0].login;
  for (const secret of ["", "x", `${genuine.slice(0, -1)}${genuine.endsWith("x") ? "y" : "x"}`, genuine.replace("lgn_", "lnk_"), genuine.split("_").slice(0, 2).join("_")]) {
    await invented.post("/login/code", { csrf, login: secret, email: "mine@example.com", code: one.code });
    assert.ok([400, 410].includes(invented.status), `${invented.status} ${secret}`);
    assert.equal(await signedIn(invented), null);
  }
  assert.equal(login("mine@example.com").state.wrong <= 1, true);
  await one.browser.submit("/login/code", { code: one.code });
  assert.equal(await signedIn(one.browser), "mine@example.com", "and the others have used nothing up");
});

test("what is stored of a sign-in is keyed digests alone: no code, no link, no page's secret, no session (issue 1, 60)", async () => {
  const live = await production();
  try {
    const { browser, code, link } = await asked(live, "stored@example.com");
    const page = forms(browser.html)["/login/code"][0].login;
    const [{ state }] = recordsOf(live, "login");
    for (const part of [code, link, page]) assert.ok(!JSON.stringify(state).includes(part));
    const guesses = [code, `${code}\n`, `login_code${code}`, `login_code/${code}`, `stored@example.com${code}`, `stored@example.com/${code}`];
    for (const guess of guesses) {
      const digest = createHash("sha256").update(guess).digest();
      for (const encoding of ["base64url", "base64", "hex"]) assert.notEqual(state.code.mac, digest.toString(encoding), "whoever has the storage could try all codes");
    }
    const kept = () => bytes(live).toString("latin1");
    await browser.submit("/login/code", { code });
    assert.equal(await signedIn(browser), "stored@example.com");
    const session = browser.cookies.get("__Host-postern_session");
    for (const secret of [new URL(link).searchParams.get("token"), page, session]) {
      const key = secret.split("_").at(-1);
      assert.ok(key.length > 30);
      assert.ok(!kept().includes(key), secret.slice(0, 3));
    }
    assert.ok(!JSON.stringify(live.logs).includes(code) && !JSON.stringify(live.logs).includes("stored@"), "nor does the log tell");
  } finally {
    await live.stop();
  }
});

describe("who has an account", () => {
  const operator = (path, email) => postern.json(path, { email }, { authorization: `Bearer ${OPERATOR_KEY}` });

  test("is not told apart from who has none: pages, headers and statuses are the same (issue 1, 61)", async () => {
    await new Browser(postern).signIn("known@example.com");
    await new Browser(postern).signIn("barred@example.com");
    assert.equal((await operator("/operator/people/suspend", "barred@example.com")).status, 200);
    const faces = [];
    for (const email of ["known@example.com", "stranger@example.com", "barred@example.com"]) {
      const browser = await new Browser(postern).open("/login");
      const seen = [];
      await browser.submit("/login", { email });
      seen.push(shown(browser, email));
      const code = codeIn((await newestMail(postern, email)).text);
      for (let by = 1; by <= 5; by += 1) {
        await browser.submit("/login/code", { code: wrong(code, by) });
        seen.push(shown(browser, email));
      }
      faces.push(seen);
    }
    assert.deepEqual(faces[1], faces[0]);
    assert.deepEqual(faces[2], faces[0]);
  });

  test("shows only to whoever reads the mail that the account is suspended, by code and by link (issue 1)", async () => {
    await new Browser(postern).signIn("out@example.com");
    await operator("/operator/people/suspend", "out@example.com");
    const { browser, code } = await asked(postern, "out@example.com");
    await browser.submit("/login/code", { code });
    assert.equal(browser.status, 403);
    assert.match(browser.html, /suspended/);
    assert.equal(await signedIn(browser), null);
    const { browser: other, link } = await asked(postern, "out@example.com");
    await other.open(new URL(link).pathname + new URL(link).search);
    await other.submit("/login/link");
    assert.equal(other.status, 403);
    assert.equal(await signedIn(other), null);
  });
});

test("one person has one account, however the address is written; a tag makes another (34)", async () => {
  const first = await new Browser(postern).signIn("Spelling@Example.com");
  const second = await new Browser(postern).signIn("spelling@EXAMPLE.COM");
  const tagged = await new Browser(postern).signIn("spelling+tag@example.com");
  await first.open("/account");
  assert.equal(forms(first.html)["/account/sessions/end"].length, 1, "the other browser is listed");
  assert.equal(await signedIn(tagged), "spelling+tag@example.com");
  await tagged.open("/account");
  assert.equal(forms(tagged.html)["/account/sessions/end"], undefined);
  assert.match(await signedIn(second), /spelling@example\.com/i);
});

test("an address that cannot be used is refused on the page, which keeps what was typed and runs none of it (issue 1)", async () => {
  for (const email of ["", "ada", "ada@localhost", "ada@mailinator.com", "ada@example.com\r\nBcc: eve@example.com", '"><script>alert(1)</script>@example.com', `${"a".repeat(300)}@example.com`, "ada@[127.0.0.1]"]) {
    const browser = await new Browser(postern).open("/login");
    await browser.submit("/login", { email });
    assert.equal(browser.status, 400, email);
    assert.match(browser.html, email.includes("\r") ? /control characters/ : /not an e-mail address/);
    assert.ok(!browser.html.includes("<script>alert"), email);
  }
  assert.equal((await mails(postern, "eve@example.com")).length, 0);
});

test("signed out, one is sent to sign in and comes back; nobody is sent anywhere else (35)", async () => {
  const page = "/claim?claim_attempt_token=cvt_x";
  const browser = await new Browser(postern).open(`/login?return_to=${encodeURIComponent(page)}`);
  await browser.submit("/login", { email: "back@example.com" });
  await browser.submit("/login/code", { code: codeIn((await newestMail(postern, "back@example.com")).text) }, { follow: false });
  assert.equal(browser.headers.get("location"), page);
  for (const evil of ["//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil.example", "/account@evil.example", "javascript:alert(1)", "/%2f/evil.example", "/login", "/logout", "/%09/evil.example", "data:text/html,x", " /account", `${postern.issuer}.evil.example/account`]) {
    const visitor = await new Browser(postern).send(`/login?return_to=${encodeURIComponent(evil)}`);
    await visitor.submit("/login", { email: "evil@example.com", return_to: evil });
    await visitor.submit("/login/code", { code: codeIn((await newestMail(postern, "evil@example.com")).text), return_to: evil }, { follow: false });
    const ways = [visitor.headers.get("location")];
    await visitor.send(`/login?return_to=${encodeURIComponent(evil)}`);
    ways.push(visitor.headers.get("location"));
    await visitor.send("/account");
    await visitor.submit("/logout", { return_to: evil }, { follow: false });
    ways.push(new URL(visitor.headers.get("location"), postern.issuer).searchParams.get("return_to"));
    for (const way of ways) {
      const target = new URL(way, postern.issuer);
      assert.equal(target.origin, postern.issuer, evil);
      assert.ok(target.pathname.startsWith("/account"), `${evil} leads to ${way}`);
    }
  }
  const split = await new Browser(postern).send(`/login?return_to=${encodeURIComponent("/claim?\r\nset-cookie: x=y")}`);
  assert.ok(!split.cookies.has("x"));
  assert.equal(split.status, 400);
});
