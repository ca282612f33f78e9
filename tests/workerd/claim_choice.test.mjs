// What a person can choose, in which order, in how many browsers; and what they are told of who asks.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { register } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { asking, atPage, csrf, onBehalf, reveal, someone, type, typed, wrong } from "./support/ceremony.mjs";
import { attemptToken, complete, poll, start } from "./support/claim.mjs";
import { Browser, codeOn, forms, newestMail } from "./support/person.mjs";
import { deploy, ROUNDS } from "./support/postern.mjs";
import { vouched, voucher } from "./support/voucher.mjs";

const TYPE = "/agent/identity/claim/complete";

let postern, provider;
before(async () => {
  provider = await voucher("Example <b>Provider</b>");
  postern = await deploy({ vars: { TRUSTED_PROVIDERS: JSON.stringify([provider.entry]), MAILS_PER_HOUR: "100000" } });
});
after(async () => {
  await postern.stop();
  await provider.stop();
});

const title = ({ html }) => /<h1>(.*?)<\/h1>/s.exec(html)?.[1];

describe("the first way that is taken closes the other", () => {
  test("asking for a code takes the typed form away, for a made-up form too (41, C1)", async () => {
    const ceremony = await onBehalf(postern);
    const person = await atPage(postern, ceremony);
    assert.ok(TYPE in forms(person.html) && "/claim/code" in forms(person.html), "both are open at first");
    const code = await reveal(person);
    assert.ok(!(TYPE in forms(person.html)));
    const token = csrf(person);
    await person.open(ceremony.path);
    assert.ok(!(TYPE in forms(person.html)) && "/claim/code" in forms(person.html) && "/claim/deny" in forms(person.html));
    assert.equal(codeOn(person.html), undefined, "the page shows the code once");
    await person.post(TYPE, { csrf: token, claim_attempt_token: ceremony.view, user_code: ceremony.user_code });
    assert.equal(person.status, 409, person.html);
    assert.equal((await poll(postern, ceremony.claim_token)).body.error, "authorization_pending");
    assert.equal((await complete(postern, ceremony.claim_token, code)).status, 200);
  });

  test("typing a code, a wrong one too, takes the other form away (41, C1)", async () => {
    const ceremony = await onBehalf(postern);
    const person = await atPage(postern, ceremony);
    await type(person, wrong(ceremony.user_code));
    assert.equal(person.status, 401);
    assert.ok(TYPE in forms(person.html) && !("/claim/code" in forms(person.html)));
    await person.post("/claim/code", { csrf: csrf(person), claim_attempt_token: ceremony.view });
    assert.equal(person.status, 409);
    assert.equal(codeOn(person.html), undefined);
    assert.equal((await complete(postern, ceremony.claim_token, ceremony.user_code)).body.error, "claim_not_confirmed");
    await person.open(ceremony.path);
    await type(person, ceremony.user_code);
    assert.equal(title(person), "Approved");
  });

  test("of fifty of each at once only one way is ever open (41)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await onBehalf(postern);
      const person = await atPage(postern, ceremony);
      const fields = { csrf: csrf(person), claim_attempt_token: ceremony.view };
      const twins = Array.from({ length: 100 }, () => Object.assign(new Browser(postern, { ip: person.ip }), { cookies: new Map(person.cookies) }));
      await Promise.all(twins.map((twin, index) => (index % 2 ? twin.post("/claim/code", fields) : twin.post(TYPE, { ...fields, user_code: ceremony.user_code }))));
      const [approved, shown] = [twins.filter((twin) => title(twin) === "Approved"), twins.filter((twin) => codeOn(twin.html))];
      assert.deepEqual([approved.length === 1 && shown.length === 0, approved.length === 0 && shown.length === 50].toSorted(), [false, true], `${approved.length} ${shown.length}`);
      const results = await Promise.all(shown.map((twin) => complete(postern, ceremony.claim_token, codeOn(twin.html))));
      assert.ok(results.filter(({ status }) => status === 200).length <= 1, "only the newest code counts");
    }
  });
});

describe("no and yes", () => {
  test("after a no nothing is a yes: not a typed code, not a shown one, not the one shown before (29, 42)", async () => {
    const ceremony = await onBehalf(postern);
    const person = await atPage(postern, ceremony);
    const code = await reveal(person);
    await person.submit("/claim/deny");
    assert.equal(title(person), "Denied");
    const done = await complete(postern, ceremony.claim_token, code);
    assert.deepEqual([done.status, done.body.error], [403, "claim_denied"]);
    const fields = { csrf: csrf(person), claim_attempt_token: ceremony.view, user_code: ceremony.user_code };
    for (const action of [TYPE, "/claim/code", "/claim/deny"]) {
      await person.post(action, { ...fields, csrf: csrf(person) });
      assert.equal(person.status, 410, action);
      assert.equal(codeOn(person.html), undefined);
    }
    assert.equal((await poll(postern, ceremony.claim_token)).body.error, "access_denied");
  });

  test("after a yes a no changes nothing, and the account page takes it back", async () => {
    const { person, view, claim_token } = await typed(postern);
    await person.open("/account");
    await person.post("/claim/deny", { csrf: csrf(person), claim_attempt_token: view });
    assert.match(title(person), /answered already/);
    assert.equal((await poll(postern, claim_token)).status, 200);
  });

  test("at once, a hundred times, come to one of them (29)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await asking(postern);
      const person = await atPage(postern, ceremony);
      const fields = { csrf: csrf(person), claim_attempt_token: ceremony.view, user_code: ceremony.user_code };
      const twins = Array.from({ length: 100 }, () => Object.assign(new Browser(postern, { ip: person.ip }), { cookies: new Map(person.cookies) }));
      await Promise.all(twins.map((twin, index) => twin.post(index % 2 ? TYPE : "/claim/deny", fields)));
      const said = twins.map(title).filter((said) => ["Approved", "Denied"].includes(said));
      assert.equal(said.length, 1, said.join());
      const { status, body } = await poll(postern, ceremony.claim_token);
      assert.deepEqual([status, body.error], said[0] === "Approved" ? [200, undefined] : [400, "access_denied"]);
    }
  });
});

test("two browsers of one person share an attempt: the newer code counts, a no in one ends it in both", async () => {
  const ceremony = await onBehalf(postern);
  const [one, two] = [await atPage(postern, ceremony), await atPage(postern, ceremony)];
  const [older, newer] = [await reveal(one), await reveal(two)];
  if (older !== newer) assert.equal((await complete(postern, ceremony.claim_token, older)).body.error, "invalid_user_code");
  await one.submit("/claim/deny");
  assert.equal((await complete(postern, ceremony.claim_token, newer)).body.error, "claim_denied");
  assert.equal((await two.open(ceremony.path)).status, 410);
});

describe("the provider", () => {
  const page = async (sub, email, extra) => {
    const answer = await read(postern.json("/agent/identity", vouched(await provider.vouch(postern.issuer, sub, email, extra))));
    assert.equal(answer.status, 401, answer.text);
    const { claim } = answer.body;
    return { claim, claim_token: answer.body.claim_token, person: await atPage(postern, { email, verification_uri: claim.verification_uri }) };
  };

  test("is named as our list has it, escaped, never in its own words; without one the page says that nobody vouches (39)", async () => {
    const email = someone();
    await new Browser(postern).signIn(email);
    const { person } = await page("named", email, { name: "Trusted Bank", provider_name: "Trusted Bank", iss_name: "Trusted Bank", client_name: "Trusted Bank" });
    assert.match(person.html, /Vouched for by/);
    assert.ok(person.html.includes(provider.issuer));
    assert.match(person.html, /Example &(lt|#60);b&(gt|#62);Provider/);
    assert.doesNotMatch(person.html, /Trusted Bank|<b>Provider/);
    const bare = await atPage(postern, await asking(postern));
    assert.match(bare.html, /<strong>Nobody\.<\/strong>/);
    assert.ok(!bare.html.includes(provider.issuer));
  });

  test("is named on a claim by ID-JAG too, and no longer once the agent has begun anew without it (39, C16)", async () => {
    const email = someone();
    await new Browser(postern).signIn(email);
    const { claim_token } = await register(postern);
    const stepped = await start(postern, { type: "identity_assertion", claim_token, assertion: await provider.vouch(postern.issuer, "claims", email) });
    assert.equal(stepped.body.status, "initiated", stepped.text);
    const person = await atPage(postern, { email, verification_uri: stepped.body.claim_attempt.verification_uri });
    assert.ok(person.html.includes(provider.issuer));
    const other = someone();
    const plain = await start(postern, { claim_token, login_hint: other });
    const second = await atPage(postern, { email: other, verification_uri: plain.body.claim_attempt.verification_uri });
    assert.ok(!second.html.includes(provider.issuer));
    await type(second, plain.body.claim_attempt.user_code);
    assert.equal(title(second), "Approved");
    const later = await read(postern.json("/agent/identity", vouched(await provider.vouch(postern.issuer, "claims", email))));
    assert.equal(later.body.error, "interaction_required", "the provider's word went with the attempt: nothing is linked");
  });

  test("and an account that are met for the first time are marked on the first link, and not on the second (40)", async () => {
    const email = someone();
    await new Browser(postern).signIn(email);
    const [provider_note, account_note] = [/For the first time/, /This is the first agent that you allow here/];
    const first = await page("forty-one", email);
    assert.match(first.person.html, provider_note);
    assert.match(first.person.html, account_note);
    await type(first.person, first.claim.user_code);
    assert.equal(title(first.person), "Approved");
    assert.equal((await poll(postern, first.claim_token)).status, 200);
    // The account is told by the registration, in a moment.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const second = await page("forty-two", email);
    assert.doesNotMatch(second.person.html, provider_note);
    assert.doesNotMatch(second.person.html, account_note);
    const plain = await atPage(postern, await asking(postern, email));
    assert.doesNotMatch(plain.html, provider_note);
  });
});

describe("an agent's name", () => {
  const NAMES = ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</bdi></dd></dl><h1>Approved</h1>", "{{ csrf }} {% raw %} ${1}", "&lt;b&gt;", "line\r\nSubject: x\nBcc: eve@example.com", "a".repeat(5000), "\ud83d\ude00".repeat(300)];
  const HIDDEN = [0x61c, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0x0, 0x7, 0x1b, 0x7f, 0x85];

  test("is shown as text, cut to 200 characters and marked as unchecked, wherever it is shown", async () => {
    for (const agent of NAMES) {
      const ceremony = await onBehalf(postern, someone(), {}, { agent });
      const person = await atPage(postern, ceremony);
      for (const { html } of [person, await person.submit("/claim/code")]) {
        assert.doesNotMatch(html, /<script>alert|<img src=x|<h1>Approved|<b>/, agent.slice(0, 40));
        assert.equal(html.match(/<h1>/g).length, 1);
        const shown = /“<bdi>(.*?)<\/bdi>”/s.exec(html)?.[1];
        assert.ok(shown.length > 0 && [...shown.replace(/&#?\w+;/g, "x")].length <= 200 && !/[\r\n]/.test(shown), shown);
      }
      await person.open(ceremony.path);
      assert.match(person.html, /its own words, unchecked/);
    }
  });

  for (const code of HIDDEN)
    test(`has no U+${code.toString(16).padStart(4, "0")} in it, on the page and in mail (edge 153, 154)`, async () => {
      const hidden = String.fromCodePoint(code);
      const agent = `nice${hidden}agent`;
      const { html } = await atPage(postern, await onBehalf(postern, someone(), {}, { agent }));
      assert.ok(!/“<bdi>(.*?)<\/bdi>”/s.exec(html)[1].includes(hidden), "page");
      const mailed = someone();
      await ok(postern.json("/agent/auth", { type: "identity_assertion", assertion_type: "verified_email", assertion: mailed, requested_credential_type: "api_key", agent }));
      const { subject, text } = await newestMail(postern, mailed);
      for (const part of [subject, ...text.split("\n")]) assert.ok(!part.includes(hidden), "mail");
    });
});

test("a token of one attempt answers no other, and the form's token of one page is not asked for at another", async () => {
  const email = someone();
  const [one, two] = [await onBehalf(postern, email), await asking(postern, email)];
  const person = await atPage(postern, one);
  await person.submit(TYPE, { claim_attempt_token: two.view, user_code: one.user_code });
  assert.equal(person.status, one.user_code === two.user_code ? 200 : 401);
  await person.open(two.path);
  await person.submit(TYPE, { claim_attempt_token: two.view.slice(0, two.view.lastIndexOf("_")) + one.view.slice(one.view.lastIndexOf("_")), user_code: two.user_code });
  assert.equal(person.status, 404, person.html);
  assert.equal(attemptToken(one.verification_uri), one.view);
  for (const { claim_token } of [one, two]) assert.equal((await poll(postern, claim_token)).body.error, "authorization_pending");
});
