// The link in a sign-in mail, and how much mail there is.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { deploy, ROUNDS } from "./support/postern.mjs";
import { asked, Browser, codeIn, forms, mails, newestMail, shown, signedIn, wrong } from "./support/person.mjs";
import { local } from "./support/production.mjs";
import { records } from "./support/storage.mjs";

describe("the link in a sign-in mail", () => {
  let postern;
  before(async () => (postern = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000", MAILS_PER_HOUR: "100000" } })));
  after(() => postern.stop());

  test("is shown by GET and HEAD to any machine, which signs nobody in and uses nothing up (issue 1, 38)", async () => {
    const { browser, code, link } = await asked(postern, "scanned@example.com");
    const stored = () => JSON.stringify([...records(postern)].filter(([, { kind }]) => kind === "login" || kind === "session"));
    const before = stored();
    for (const init of [{}, { method: "HEAD" }, { headers: { "sec-purpose": "prefetch;prerender", purpose: "prefetch" } }, { headers: { "sec-fetch-site": "cross-site" } }, { method: "HEAD" }, {}]) {
      const scanner = await new Browser(postern).send(local(link), init);
      assert.equal(scanner.status, 200);
      assert.deepEqual([...scanner.cookies.keys()], ["postern_browser"]);
      assert.equal(await signedIn(scanner), null);
    }
    for (const method of ["PUT", "DELETE", "PATCH"]) assert.equal((await new Browser(postern).send(local(link), { method })).status, 405);
    assert.equal(stored(), before, "nothing has changed");
    await browser.submit("/login/code", { code });
    assert.equal(await signedIn(browser), "scanned@example.com", "the code is still good");
  });

  test("signs in the browser that presses its button and no other, and ends the code (issue 1)", async () => {
    const { browser, code, link } = await asked(postern, "pressed@example.com");
    const phone = await new Browser(postern).open(local(link));
    assert.match(phone.html, /Sign in as pressed@example\.com/, "it says as whom");
    assert.ok(!phone.html.includes(code), "and does not show the code");
    const form = forms(phone.html)["/login/link"][0];
    await phone.submit("/login/link", {}, { follow: false });
    assert.deepEqual([phone.status, phone.headers.get("location")], [303, "/account"]);
    assert.equal(await signedIn(phone), "pressed@example.com");
    assert.equal(await signedIn(browser), null, "where it was asked for, nobody is signed in");
    await browser.open("/login");
    const { csrf } = forms(browser.html)["/login"][0];
    await browser.post("/login/link", { ...form, csrf });
    assert.equal(browser.status, 410);
    assert.match(browser.html, /This link is over/);
    await browser.open(local(link));
    assert.equal(browser.status, 410);
    const later = await asked(postern, "pressed@example.com");
    await later.browser.post("/login/code", { ...forms(later.browser.html)["/login/code"][0], code });
    assert.notEqual(later.browser.status, 303);
  });

  test("is pressed in 100 browsers at once, and one is signed in (issue 1)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { link } = await asked(postern, `parallel-${round}@example.com`);
      const browsers = await Promise.all(Array.from({ length: 100 }, () => new Browser(postern).send(local(link))));
      await Promise.all(browsers.map((browser) => browser.submit("/login/link", {}, { follow: false })));
      assert.equal(browsers.filter(({ status }) => status === 303).length, 1);
      assert.equal(browsers.filter(({ status }) => status === 410).length, 99);
      assert.equal(browsers.filter(({ cookies }) => cookies.has("postern_session")).length, 1);
    }
  });

  test("still works after wrong codes have closed the page that asked for it (issue 1)", async () => {
    const { browser, code, link } = await asked(postern, "locked@example.com");
    const form = forms(browser.html)["/login/code"][0];
    for (let by = 1; by <= 6; by += 1) await browser.post("/login/code", { ...form, code: String((Number(code) + by) % 1_000_000).padStart(6, "0") });
    assert.equal(browser.status, 410);
    const owner = await new Browser(postern).open(local(link));
    await owner.submit("/login/link");
    assert.equal(await signedIn(owner), "locked@example.com");
  });

  test("leads where the person wanted to go, whatever the button's form says (35)", async () => {
    const browser = await new Browser(postern).open("/login?return_to=%2Fclaim%3Fclaim_attempt_token%3Dcvt_y");
    await browser.submit("/login", { email: "target@example.com" });
    const other = await new Browser(postern).open(local((await newestMail(postern, "target@example.com")).links[0]));
    await other.submit("/login/link", { return_to: "https://evil.example" }, { follow: false });
    assert.equal(other.headers.get("location"), "/claim?claim_attempt_token=cvt_y");
  });

  test("that is missing, mistyped, of another kind, or hostile is over, and nothing of it is run (75, 76)", async () => {
    const { browser, link } = await asked(postern, "mistyped@example.com");
    const token = new URL(link).searchParams.get("token");
    const login = forms(browser.html)["/login/code"][0].login;
    const count = (await postern.mf.listDurableObjectIds("CELL")).length;
    for (const wrong of ["", "x", `${token}x`, token.slice(0, -1), token.toUpperCase(), token.replace("lnk", "lgn"), login, login.replace("lgn_", "lnk_"), "</script><script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", `${"lnk_"}${"A".repeat(4000)}`]) {
      const visitor = await new Browser(postern).open(`/login/link?token=${encodeURIComponent(wrong)}`);
      assert.equal(visitor.status, 410, wrong);
      assert.ok(!/<script>alert|<img src=x/.test(visitor.html), wrong);
    }
    assert.equal((await postern.mf.listDurableObjectIds("CELL")).length, count, "no object was made");
    for (const query of ["", "?", `?token=${token}&token=${token}`, "?token=%00", "?token=%ff"]) {
      const visitor = await new Browser(postern).open(`/login/link${query}`);
      assert.ok([400, 410].includes(visitor.status), query);
      assert.match(visitor.headers.get("content-type"), /^text\/html/);
    }
  });
});

describe("mail", () => {
  let postern;
  before(async () => (postern = await deploy()));
  after(() => postern.stop());
  const ask = async (email, ip, headers = {}) => {
    const browser = await new Browser(postern, { ip }).open("/login");
    return browser.submit("/login", { email }, { headers });
  };

  test("to one address stops after five an hour, and the page says the same (issue 1, 60)", async () => {
    const pages = [];
    for (let turn = 0; turn < 8; turn += 1) {
      // Other spellings are no way around.
      const email = turn % 2 ? "full@example.com" : "Full@EXAMPLE.com";
      const browser = await ask(email, `10.200.${turn}.1`);
      const seen = [shown(browser, email, "Full@example.com")];
      const [letter] = await mails(postern, "full@example.com");
      for (let by = 1; by <= 6 && browser.status !== 410; by += 1) {
        await browser.submit("/login/code", { code: wrong(codeIn(letter.text), by) });
        seen.push(shown(browser, email, "Full@example.com"));
      }
      assert.equal(seen.length, 6, "five codes are looked at, or seem to be");
      pages.push(seen.join("\n"));
    }
    assert.equal((await mails(postern, "full@example.com")).length, 5);
    assert.equal(new Set(pages).size, 1, "nothing tells that there was no mail");
    await ask("full+tag@example.com", "10.200.20.1");
    assert.equal((await mails(postern, "full+tag@example.com")).length, 1, "a tag makes another address");
  });

  test("of one network stops after twenty an hour with a page that says when to come again (issue 1)", async () => {
    for (let turn = 0; turn < 20; turn += 1) assert.equal((await ask(`of-one-${turn}@example.com`, "10.201.0.1")).status, 200);
    const refused = await ask("of-one-20@example.com", "10.201.0.1");
    assert.equal(refused.status, 429);
    assert.match(refused.headers.get("content-type"), /^text\/html/);
    const wait = Number(refused.headers.get("retry-after"));
    assert.ok(wait > 3000 && wait <= 3600, `${wait}`);
    assert.match(refused.html, /Too many tries/);
    assert.equal((await mails(postern, "of-one-20@example.com")).length, 0);
    assert.equal((await ask("of-one-0@example.com", "10.201.0.1")).status, 429, "for every address alike");
    assert.equal((await ask("of-one-20@example.com", "10.201.0.2")).status, 200, "others are not concerned");
  });

  test("is counted by the address that the platform tells, and by no header of the client (149)", async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const spoofed = { "x-forwarded-for": `192.0.2.${turn}`, "x-real-ip": `192.0.2.${turn}`, forwarded: `for=192.0.2.${turn}`, "true-client-ip": `192.0.2.${turn}` };
      assert.equal((await ask(`spoof-${turn}@example.com`, "10.202.0.1", spoofed)).status, 200);
    }
    assert.equal((await ask("spoof-20@example.com", "10.202.0.1", { "x-forwarded-for": "192.0.2.99" })).status, 429);
  });

  test("is counted by /64 where addresses are IPv6 (52)", async () => {
    for (let turn = 0; turn < 20; turn += 1) assert.equal((await ask(`six-${turn}@example.com`, `2001:db8:1:1:${turn}::1`)).status, 200);
    assert.equal((await ask("six-20@example.com", "2001:db8:1:1:ffff:ffff:ffff:ffff")).status, 429);
    assert.equal((await ask("six-20@example.com", "2001:db8:1:2::1")).status, 200);
  });

  test("of 100 parallel requests for one address goes out five times (issue 1)", async () => {
    const browsers = await Promise.all(Array.from({ length: 100 }, (_, turn) => new Browser(postern, { ip: `10.203.${turn}.1` }).open("/login")));
    await Promise.all(browsers.map((browser) => browser.submit("/login", { email: "burst@example.com" })));
    assert.deepEqual([...new Set(browsers.map(({ status }) => status))], [200]);
    assert.equal((await mails(postern, "burst@example.com")).length, 5);
  });

  test("of the whole deployment has a limit, whoever asks (issue 1)", async () => {
    const small = await deploy({ vars: { MAILS_PER_HOUR: "3" }, persist: false });
    try {
      const answers = [];
      for (let turn = 0; turn < 4; turn += 1) {
        const browser = await new Browser(small).open("/login");
        answers.push(await browser.submit("/login", { email: `whole-${turn}@example.com` }));
      }
      assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 429]);
      assert.ok(Number(answers[3].headers.get("retry-after")) > 0);
    } finally {
      await small.stop();
    }
  });
});
