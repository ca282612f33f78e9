// A ceremony that is under way survives a restart and a change of the deployment's secret; and none of its secrets is kept or logged.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { call, exchange, register, registerKey, until } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { asking, claimed, me, press, reading, refresh, signedIn, trade, typing } from "./support/consent.mjs";
import { complete, page, poll, start } from "./support/claim.mjs";
import { Browser, codeIn, codeOn, newestMail } from "./support/person.mjs";
import { address, deploy } from "./support/postern.mjs";
import { bytes } from "./support/storage.mjs";
import { byEmail, challenge, claim, finish, links, shown } from "./support/v01.mjs";

const TYPED = "/agent/identity/claim/complete";
const [OLD, NEW] = ["the-old-secret-of-the-tests-0123456789abcdef", "the-new-secret-of-the-tests-0123456789abcdef"];
const turn = (postern) => postern.restart({ POSTERN_SECRET: NEW, POSTERN_SECRET_PREVIOUS: OLD });

async function on(vars, each) {
  const postern = await deploy({ vars: { POSTERN_SECRET: OLD, MAILS_PER_ADDRESS_PER_HOUR: "100", ...vars } });
  try {
    await each(postern);
  } finally {
    await postern.stop();
  }
}

describe("a restart between any two steps loses nothing", () => {
  test("of the typed code", async () => {
    await on({}, async (postern) => {
      const agent = await register(postern);
      await postern.restart();
      const { body } = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: "restart@example.com" });
      const { user_code, verification_uri } = body.claim_attempt;
      await postern.restart();
      const person = await new Browser(postern).open(verification_uri);
      await person.submit("/login", { email: "restart@example.com" });
      await postern.restart();
      await person.submit("/login/code", { code: codeIn((await newestMail(postern, "restart@example.com")).text) });
      await postern.restart();
      await person.submit(TYPED, { user_code });
      assert.match(person.html, /Approved/);
      await postern.restart();
      const got = await poll(postern, agent.claim_token);
      assert.equal(got.status, 200, got.text);
      await postern.restart();
      assert.equal((await poll(postern, agent.claim_token)).text, got.text, "the sealed delivery is still there, to the byte");
      const { value } = (await refresh(postern, got.body.identity.refresh_token.value)).body.identity.refresh_token;
      await postern.restart();
      assert.equal((await refresh(postern, got.body.identity.refresh_token.value)).body.identity.refresh_token.value, value);
      await exchange(postern, got.body.identity_assertion);
      await postern.restart();
      assert.equal((await poll(postern, agent.claim_token)).body.error, "expired_token");
      assert.equal(await call(postern.issuer, got.body.access_token), 200);
      assert.equal((await trade(postern, agent.identity_assertion)).body.error, "invalid_grant");
      await person.open("/account");
      assert.ok(person.html.includes(agent.registration_id));
    });
  });

  test("of the code that is read out, of the mailed link, and of a denial", async () => {
    await on({}, async (postern) => {
      const [asked, relay] = [await asking(postern, "restarts@example.com"), await reading(postern, "restarts@example.com")];
      const mailed = await byEmail(postern, "restarts@example.com");
      await postern.restart();
      assert.equal((await complete(postern, relay.token, relay.code)).status, 200);
      await asked.person.submit("/claim/deny");
      const { body } = await challenge(postern, (await links(postern, "restarts@example.com"))[0]);
      await postern.restart();
      assert.equal((await finish(postern, mailed.body.claim_token, body.challenge)).status, 200);
      assert.equal((await poll(postern, asked.token)).body.error, "access_denied");
    });
  });
});

describe("a change of POSTERN_SECRET in the middle loses nothing", () => {
  test("of a claim token, an attempt's page, both codes and the poll", async () => {
    await on({}, async (postern) => {
      const email = "turning@example.com";
      const person = await signedIn(postern, email);
      const fresh = await register(postern);
      const typed = await typing(postern, email);
      const asked = await asking(postern, email);
      const read = await reading(postern, email);
      const approved = await typing(postern, email);
      await press(approved.person, TYPED, { user_code: approved.user_code });
      await turn(postern);
      // A page that was open before the change, sent after it; and one opened after it.
      await typed.person.submit(TYPED, { user_code: typed.user_code });
      assert.match(typed.person.html, /Approved/);
      await asked.person.submit("/claim/code");
      const code = codeOn(asked.person.html);
      assert.match(code ?? "", /^\d{6}$/, asked.person.html);
      for (const { token } of [typed, approved]) assert.equal((await poll(postern, token)).status, 200);
      for (const [token, shown] of [[asked.token, code], [read.token, read.code]]) assert.equal((await complete(postern, token, shown)).status, 200);
      const { body } = await start(postern, { type: "service_auth", claim_token: fresh.claim_token, login_hint: email });
      await person.open(page(body.attempt.verification_uri));
      assert.equal(person.status, 200, "the session goes on");
      await person.submit("/claim/code");
      assert.equal((await complete(postern, fresh.claim_token, codeOn(person.html))).status, 200);
      await person.open("/account");
      for (const id of [fresh.registration_id, typed.id, asked.id, read.id, approved.id]) assert.ok(person.html.includes(id), "all are one person's");
    });
  });

  test("of what was delivered, of a refresh token and of its successors", async () => {
    await on({}, async (postern) => {
      const [one, two] = [await claimed(postern, "family@example.com"), await claimed(postern, "family@example.com")];
      const spent = (await refresh(postern, two.spare)).body.identity.refresh_token.value;
      await turn(postern);
      assert.equal((await poll(postern, one.token)).text, one.text, "the same bytes");
      assert.equal(await call(postern.issuer, one.given.access_token), 200);
      assert.equal((await refresh(postern, two.spare)).body.identity.refresh_token.value, spent, "the successor that the old secret made");
      const [first, again] = [await refresh(postern, one.spare), await refresh(postern, one.spare)];
      assert.equal(first.body.identity.refresh_token.value, again.body.identity.refresh_token.value);
      const next = await refresh(postern, spent);
      assert.equal(next.status, 200);
      assert.equal((await refresh(postern, spent)).body.identity.refresh_token.value, next.body.identity.refresh_token.value);
      // And what the new secret has made needs the old one no more.
      for (const { body } of [first, next]) assert.equal((await refresh(postern, body.identity.refresh_token.value)).status, 200);
    });
  });

  test("of a sign-in that is under way, by code and by link, of a session and of the account behind an address", async () => {
    await on({}, async (postern) => {
      const email = "Signing.In@example.com";
      const { person: before, id } = await claimed(postern, email);
      const [byCode, byLink] = [await new Browser(postern).open("/login"), await new Browser(postern).open("/login")];
      await byCode.submit("/login", { email });
      const code = codeIn((await newestMail(postern, email)).text);
      await byLink.submit("/login", { email });
      const { links: [link] } = await newestMail(postern, email);
      await turn(postern);
      await byCode.submit("/login/code", { code });
      await byLink.open(link.replace(postern.issuer, ""));
      await byLink.submit("/login/link");
      const after = await signedIn(postern, email.toLowerCase());
      for (const person of [byCode, byLink, after, before]) {
        await person.open("/account");
        assert.ok(person.html.includes(id), `${person.url} ${person.status}`);
      }
      await postern.restart({ POSTERN_SECRET: NEW, POSTERN_SECRET_PREVIOUS: null });
      const later = await signedIn(postern, email);
      await later.open("/account");
      assert.ok(later.html.includes(id), "the address was filed anew");
      for (const person of [after, later]) assert.equal((await person.open("/account")).status, 200);
    });
  });

  test("of an agent of v0.1: its key, its link, its code, and its repeated request", async () => {
    await on({}, async (postern) => {
      const email = "older@example.com";
      const [read, key] = [await shown(postern, email), await registerKey(postern)];
      const mailed = await byEmail(postern, "older-mailed@example.com");
      const [link] = await links(postern, "older-mailed@example.com");
      const done = await shown(postern, email);
      const given = await finish(postern, done.token, done.otp);
      const started = await claim(postern, key.claim_token, "older-echo@example.com");
      await turn(postern);
      assert.equal(await call(postern.issuer, key.credential), 200);
      assert.equal((await finish(postern, done.token, done.otp)).text, given.text);
      assert.equal((await finish(postern, read.token, read.otp)).status, 200);
      const { challenge: otp } = (await challenge(postern, link)).body;
      assert.equal((await finish(postern, mailed.body.claim_token, otp)).status, 200);
      assert.deepEqual((await claim(postern, key.claim_token, "older-echo@example.com")).body, started.body);
      assert.deepEqual((await me(postern, done.agent.credential)).body.scopes, ["api.read"]);
    });
  });

  test("but without the previous secret nothing of it is left that could be misused", async () => {
    await on({}, async (postern) => {
      const [read, old] = [await reading(postern, "dropped@example.com"), await claimed(postern, "dropped@example.com")];
      await postern.restart({ POSTERN_SECRET: NEW });
      assert.equal((await refresh(postern, old.spare)).body.error, "invalid_refresh_token");
      assert.equal((await complete(postern, read.token, read.code)).body.error, "invalid_claim");
      assert.equal((await poll(postern, read.token)).body.error, "expired_token");
      await old.person.open("/account");
      assert.match(old.person.url, /^\/login/);
    });
  });
});

test("no secret of a ceremony is in the log or on the disk, spent ones and delivered answers neither", async () => {
  await on({}, async (postern) => {
    const email = "secretive@example.com";
    const secrets = new Map();
    const typed = await claimed(postern, email);
    const next = (await refresh(postern, typed.spare)).body.identity.refresh_token.value;
    const polled = { assertion: typed.given.identity_assertion, access: typed.given.access_token };
    const asked = await reading(postern, email);
    const done = (await complete(postern, asked.token, asked.code)).body;
    const older = await shown(postern, email);
    const key = (await finish(postern, older.token, older.otp)).body.credential;
    const open = await asking(postern, email);
    const waiting = await typing(postern, email, typed.person);
    const cookies = [typed, asked, open].flatMap(({ person }) => [...person.cookies.values()]);
    const forms = /name="csrf" value="([^"]+)/.exec(typed.person.html)[1];
    const attempt = (uri) => decodeURIComponent(uri).split("claim_attempt_token=")[1];
    const all = { typed: typed.token, asked: asked.token, older: older.token, open: open.token, waiting: waiting.token, link: older.link, pages: attempt(typed.verification_uri), page: attempt(open.verification_uri), spare: typed.spare, next, refresh: done.identity.refresh_token.value, assertion: done.identity.assertion, ...polled, key, before: older.agent.credential, forms };
    for (const [name, secret] of [...Object.entries(all), ...cookies.map((cookie, index) => [`cookie ${index}`, cookie])]) secrets.set(name, secret);
    // Also where they do not belong.
    for (const secret of secrets.values()) {
      await Promise.all([
        poll(postern, secret), complete(postern, secret, "123456"), finish(postern, secret, "123456"), challenge(postern, secret), refresh(postern, secret), claim(postern, secret, secret), start(postern, { type: "login_hint", claim_token: secret, login_hint: secret }),
        read(postern.get(`/claim?claim_attempt_token=${secret}`)), read(postern.get(`/login?return_to=${secret}`)), read(postern.get(`/login/link?token=${secret}`)), read(postern.get(`/${secret}`)), read(postern.form("/claim/deny", { claim_attempt_token: secret, csrf: secret })),
        read(postern.form(TYPED, { claim_attempt_token: secret, user_code: "123456", csrf: secret })), read(postern.json("/operator/registrations/revoke", { registration_id: secret }, { authorization: `Bearer ${secret}` })),
      ]);
    }
    await until(() => postern.lines().some(({ route }) => route === "claim_complete"));
    await postern.restart();
    const { keys } = await (await postern.mf.getKVNamespace("KV")).list();
    assert.ok(keys.length > 0);
    const [stored, log] = [bytes(postern), JSON.stringify(postern.logs)];
    assert.ok(stored.includes(email), "this looks in the right place");
    // Development keeps the mails themselves, with links and sign-in codes in them; nothing else is kept.
    for (const [name, secret] of secrets) {
      const own = secret.split(secret.includes(".") ? "." : "_").at(-1);
      const pieces = [secret, own, ...(own.match(/.{16}/g) ?? [])].filter((piece) => piece.length >= 16);
      assert.ok(pieces.length > 0, name);
      for (const piece of pieces) {
        if (name !== "link") assert.ok(!stored.includes(piece), `${name} is on the disk: ${piece}`);
        assert.ok(!log.includes(piece), `${name} is in the log: ${piece}`);
      }
      for (const encoding of ["base64", "base64url", "hex"]) assert.ok(!stored.includes(Buffer.from(secret).toString(encoding).slice(0, 40)), `${name} as ${encoding}`);
    }
    for (const code of [typed.user_code, waiting.user_code, asked.code, older.otp]) assert.ok(!new RegExp(`(?<![0-9a-f.-])${code}(?![0-9a-f.])`).test(log), `the code ${code} is in the log`);
    assert.ok(!log.includes(email), "nor is the person's address");
    assert.deepEqual(postern.lines().filter(({ status }) => status >= 500), []);
    assert.equal((await ok(postern.json("/agent/identity", { type: "anonymous" }, { "cf-connecting-ip": address() }))).registration_type, "anonymous");
  });
});
