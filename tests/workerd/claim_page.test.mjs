// The page on which a person answers an agent: who sees it, what it shows, and that looking changes nothing.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { sleep } from "./support/agent.mjs";
import { again, asking, atPage, csrf, nothingFor, onBehalf, operator, reveal, someone, type, typed, wrong } from "./support/ceremony.mjs";
import { complete, page, poll } from "./support/claim.mjs";
import { Browser, codeOn, forms } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";
import { records } from "./support/storage.mjs";

const ANSWERS = ["/agent/identity/claim/complete", "/claim/code", "/claim/deny"];

let postern;
before(async () => (postern = await deploy({ vars: { SCOPE_DESCRIPTIONS: '{"api.write":"Change <your> things"}' } })));
after(() => postern.stop());

test("six wrong typed codes lock the attempt: the right one fails then, and a new attempt works (36, edge 67)", async () => {
  const first = await asking(postern);
  const person = await atPage(postern, first);
  const fields = { csrf: csrf(person), claim_attempt_token: first.view };
  const statuses = [];
  for (let time = 0; time < 6; time += 1) statuses.push((await person.post(ANSWERS[0], { ...fields, user_code: wrong(first.user_code) })).status);
  assert.deepEqual(statuses, [401, 401, 401, 401, 410, 410]);
  await person.post(ANSWERS[0], { ...fields, user_code: first.user_code });
  assert.equal(person.status, 410);
  await nothingFor(postern, first.claim_token, first.user_code);
  assert.equal((await person.open(first.path)).status, 410);
  const second = await again(postern, first.claim_token, first.email);
  await type(await person.open(second.path), second.user_code);
  assert.equal(person.status, 200, person.html);
});

test("what is no code of six ASCII digits costs no try; leading zeros and spaces between digits count (edge 66)", async () => {
  const ceremony = await asking(postern);
  const person = await atPage(postern, ceremony);
  const { user_code } = ceremony;
  for (const code of ["", "12345", "1234567", "12345a", [...user_code].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join(""), [...user_code].map((digit) => String.fromCodePoint(0x660 + Number(digit))).join(""), `-${user_code.slice(1)}`, "0x1234", "1e5000", `${user_code}.0`, `${user_code},${user_code}`, user_code.slice(0, 5), `0${user_code}`]) {
    await person.post(ANSWERS[0], { csrf: csrf(person), claim_attempt_token: ceremony.view, user_code: code });
    assert.equal(person.status, 400, code);
    assert.match(person.html, /six digits/i);
  }
  if (user_code !== "000000") {
    await type(person, "000000");
    assert.equal(person.status, 401);
  }
  await type(person, ` ${user_code.slice(0, 3)} ${user_code.slice(3)} `);
  assert.equal(person.status, 200, person.html);
});

describe("looking", () => {
  test("by GET and HEAD, signed in or out, changes nothing that is stored, and shows no code (38, edge 63)", async () => {
    const ceremony = await onBehalf(postern);
    const relayed = await onBehalf(postern);
    const person = await atPage(postern, ceremony);
    const other = await atPage(postern, relayed);
    const code = await reveal(other);
    const kept = () => [...records(postern)].filter(([, record]) => record.kind === "registration").map((entry) => JSON.stringify(entry)).toSorted();
    await sleep(300);
    const before = kept();
    for (const browser of [person, other, new Browser(postern)])
      for (const path of [ceremony.path, relayed.path, page(ceremony.verification_uri), `/claim/code?claim_attempt_token=${ceremony.view}`, `/claim/deny?claim_attempt_token=${ceremony.view}`, `/agent/identity/claim/complete?claim_attempt_token=${ceremony.view}&user_code=${ceremony.user_code}`, `/agent/auth/claim/attempt/challenge?claim_attempt_token=${ceremony.view}`])
        for (const method of ["GET", "HEAD", "OPTIONS"])
          for (const headers of [{}, { purpose: "prefetch", "sec-purpose": "prefetch;prerender" }]) {
            await browser.send(path, { method, headers });
            assert.ok(browser.status < 500);
            assert.equal(codeOn(browser.html), undefined, path);
            assert.ok(!browser.html.includes(code) && !browser.html.includes(ceremony.user_code));
          }
    assert.deepEqual(kept(), before);
    assert.equal((await poll(postern, ceremony.claim_token)).body.error, "authorization_pending");
    assert.equal((await complete(postern, relayed.claim_token, code)).status, 200, "the shown code is still the one");
  });

  test("at a link that is missing, unknown, cut, of another kind or hostile is a page that says so (edge 75, 76)", async () => {
    const ceremony = await asking(postern);
    const person = await new Browser(postern).signIn(someone());
    const query = (token) => `/claim?claim_attempt_token=${encodeURIComponent(token)}`;
    for (const path of ["/claim", "/claim?", query(""), query("cvt_x"), query(ceremony.view.slice(0, -1)), query(`${ceremony.view}0`), query(ceremony.claim_token), query(ceremony.claim_token.replace("clm", "cvt")), query(ceremony.agent.registration_id), query("</script><script>alert(1)</script>"), query("\"'><img src=x onerror=alert(1)>"), query("a".repeat(8000)), query("\u202e\u0661")])
      for (const browser of [person, new Browser(postern)]) {
        await browser.send(path);
        assert.equal(browser.status, 404, path);
        assert.match(browser.html, /<h1>/);
        assert.doesNotMatch(browser.html, /<script>alert|onerror=alert|<img src=x/);
        assert.equal(browser.headers.get("cache-control"), "no-store");
      }
    for (const path of [`${query(ceremony.view)}&claim_attempt_token=x`, "/claim?claim_attempt_token=%ff", "/claim?claim_attempt_token=%0d%0a"]) assert.equal((await person.send(path)).status, 400, path);
  });

  test("at one that is used, denied or withdrawn says which, and has nothing to press (42, edge 75, 77)", async () => {
    const done = await typed(postern);
    const denied = await asking(postern);
    const no = await atPage(postern, denied);
    await no.submit("/claim/deny");
    const ended = await asking(postern);
    const late = await atPage(postern, ended);
    await operator(postern, "registrations/revoke", { registration_id: ended.agent.registration_id });
    for (const [person, ceremony, status] of [[done.person, done, 200], [no, denied, 410], [late, ended, 410]]) {
      const fields = { csrf: csrf(late), claim_attempt_token: ceremony.view, user_code: ceremony.user_code };
      await person.open(ceremony.path);
      assert.equal(person.status, status, person.html);
      for (const action of ANSWERS) assert.ok(!(action in forms(person.html)), action);
      for (const action of ANSWERS) {
        await person.open("/account");
        await person.post(action, { ...fields, csrf: csrf(person) });
        assert.equal(person.status, status, `${action} ${person.html}`);
        assert.equal(codeOn(person.html), undefined);
      }
    }
    assert.equal((await poll(postern, done.claim_token)).status, 200, "an approval is not taken back by a denial after it");
    assert.equal((await poll(postern, denied.claim_token)).body.error, "access_denied");
    assert.equal((await poll(postern, ended.claim_token)).body.error, "expired_token");
  });
});

test("every page of the ceremony has a button that denies, is not kept, not framed, and sends no referrer (37, 42)", async () => {
  const ceremony = await onBehalf(postern);
  const person = await atPage(postern, ceremony);
  const seen = [["claim", person.html, person.headers]];
  await reveal(person);
  seen.push(["code", person.html, person.headers]);
  for (const [what, html] of seen) assert.ok("/claim/deny" in forms(html), what);
  await person.submit("/claim/deny");
  seen.push(["denied", person.html, person.headers]);
  await person.send("/login?max_age=0");
  seen.push(["login", person.html, person.headers]);
  const eve = await new Browser(postern).signIn(someone("eve"), ceremony.verification_uri);
  seen.push(["closed", eve.html, eve.headers], ["refused", (await eve.post(ANSWERS[0], {})).html, eve.headers]);
  for (const [what, html, headers] of seen) {
    assert.equal(headers.get("referrer-policy"), "no-referrer", what);
    assert.equal(headers.get("cache-control"), "no-store", what);
    assert.equal(headers.get("x-frame-options"), "DENY", what);
    assert.match(headers.get("content-security-policy"), /default-src 'none'.*form-action 'self'.*frame-ancestors 'none'.*base-uri 'none'/, what);
    assert.equal(headers.get("access-control-allow-origin"), null, what);
    assert.doesNotMatch(html, /(src|href)="https?:/, what);
  }
});

test("what is asked for is named in the operator's words, escaped, with the scope itself", async () => {
  const { html } = await atPage(postern, await asking(postern));
  assert.match(html, /Change &(lt|#60);your&(gt|#62); things/);
  for (const scope of ["api.read", "api.write"]) assert.ok(html.includes(`<code>${scope}</code>`), scope);
});
