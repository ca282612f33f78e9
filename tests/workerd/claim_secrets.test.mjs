// What the ceremony's secrets are seen by: no code on the other side, none of them in the log, none of them on the disk.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { exchange, register, registerKey, sleep } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { again, asking, atPage, csrf, onBehalf, reveal, someone, type, wrong } from "./support/ceremony.mjs";
import { attemptToken, complete, poll, start } from "./support/claim.mjs";
import { Browser, newestMail } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";
import { bytes, recordsOf } from "./support/storage.mjs";

const SIX = (code) => new RegExp(`(?<![0-9A-Za-z])${code}(?![0-9A-Za-z])`);
const spaced = (code) => `${code.slice(0, 3)}</span><span>${code.slice(3)}`;

let postern, told;
after(() => postern.stop());

/** Every text that agents were sent, every page that people were shown, and what was secret in them. */
before(async () => {
  postern = await deploy();
  told = { agent: [], page: [], codes: [], tokens: [], emails: [] };
  const agent = async (answering) => {
    const got = await answering;
    told.agent.push(got.text, [...got.headers].flat().join(" "));
    return got;
  };
  const shown = (person) => {
    told.page.push(person.html, [...person.headers].flat().join(" "));
    return person;
  };
  const carry = (...tokens) => told.tokens.push(...tokens);

  // The typed code: a wrong one, a new attempt, the right one, the answer twice.
  const one = await asking(postern, someone("typing"));
  const typist = shown(await atPage(postern, one));
  shown(await type(typist, wrong(one.user_code)));
  const next = await again(postern, one.claim_token, one.email);
  shown(await typist.open(next.path));
  shown(await type(typist, next.user_code));
  for (let time = 0; time < 2; time += 1) await agent(poll(postern, one.claim_token));
  const { body } = await agent(poll(postern, one.claim_token));
  await exchange(postern, body.identity_assertion);
  shown(await typist.open("/account"));
  carry(one.claim_token, one.view, next.view, one.agent.identity_assertion, body.identity_assertion, body.access_token, body.identity.refresh_token.value, csrf(typist), ...typist.cookies.values());
  told.codes.push({ typed: one.user_code }, { typed: next.user_code });

  // The shown code.
  const readers = someone("reading");
  const two = await agent(read(postern.json("/agent/identity", { type: "service_auth", login_hint: readers })));
  const reader = await new Browser(postern).signIn(readers, two.body.claim.verification_uri);
  shown(reader);
  const code = await reveal(reader);
  await agent(complete(postern, two.body.claim.token, wrong(code)));
  await agent(poll(postern, two.body.claim.token));
  await agent(start(postern, { type: "service_auth", claim_token: two.body.claim.token, login_hint: "eve@example.com" }));
  const done = await agent(complete(postern, two.body.claim.token, code));
  assert.equal(done.status, 200, done.text);
  const refreshed = await agent(read(postern.json("/agent/identity", { type: "refresh", refresh_token: done.body.identity.refresh_token.value })));
  carry(two.body.claim.token, attemptToken(two.body.claim.verification_uri), done.body.identity.assertion, done.body.identity.refresh_token.value, refreshed.body.identity.refresh_token.value, ...reader.cookies.values());
  told.codes.push({ shown: code, typed: two.body.claim.user_code });

  // The mailed link of v0.1.
  const three = await registerKey(postern);
  const email = someone("mailed");
  await agent(read(postern.json("/agent/auth/claim", { claim_token: three.claim_token, email })));
  const [link] = (await newestMail(postern, email)).links;
  const opener = shown(await new Browser(postern).open(link));
  const otp = await reveal(opener);
  await agent(read(postern.json("/agent/auth/claim/complete", { claim_token: three.claim_token, otp: wrong(otp) })));
  const key = await agent(read(postern.json("/agent/auth/claim/complete", { claim_token: three.claim_token, otp })));
  carry(three.claim_token, three.credential, key.body.credential, ...opener.cookies.values());
  told.codes.push({ shown: otp });
  told.mailed = new URL(link).searchParams.get("claim_attempt_token");
  told.emails.push(one.email, readers, email);
  await sleep(500);
});

describe("no side learns the other's code", () => {
  test("the code that the page shows is in no answer to an agent, and the one that the agent shows on no page (C1, 18)", () => {
    assert.ok(told.agent.length > 20 && told.page.length > 10);
    for (const { typed, shown } of told.codes) {
      if (shown) for (const text of told.agent) assert.doesNotMatch(text, SIX(shown));
      if (typed) for (const html of told.page) assert.ok(!SIX(typed).test(html) && !html.includes(spaced(typed)));
    }
  });

  test("no answer and no page has the other's token: the agent's on no page, the mailed one in no answer", () => {
    for (const html of told.page) assert.doesNotMatch(html, /clm_|art_|eyJhbGci/);
    for (const text of told.agent) assert.ok(!text.includes(told.mailed));
  });
});

test("no secret of the ceremony is in the log, and no address and no code", () => {
  const logged = postern.logs.map(({ message }) => message).join("\n");
  assert.ok(logged.length > 1000);
  for (const token of [...told.tokens, told.mailed]) {
    assert.ok(token.length > 15, token);
    for (const part of [token, token.slice(-20), encodeURIComponent(token)]) assert.ok(!logged.includes(part), token);
  }
  for (const email of told.emails) assert.ok(!logged.includes(email), email);
  const values = postern.lines().flatMap((line) => Object.values(line)).filter((value) => typeof value === "string");
  for (const code of told.codes.flatMap(Object.values)) assert.ok(!values.some((value) => SIX(code).test(value)), "code");
  assert.doesNotMatch(logged, /cvt_|clm_|art_|lgn_|lnk_|pss_/);
});

test("no token of the ceremony is on the disk, nor a digest of it or of a code that anybody could compute (1.13)", () => {
  const disk = bytes(postern);
  const hashes = (text) => ["sha256", "sha1", "md5"].flatMap((name) => ["hex", "base64", "base64url"].map((form) => createHash(name).update(text).digest(form)));
  const plain = told.tokens.filter((token) => !token.startsWith("eyJ"));
  for (const token of plain) for (const trace of [token, token.slice(token.lastIndexOf("_") + 1), ...hashes(token)]) assert.ok(!disk.includes(trace), token);
  for (const token of told.tokens.filter((token) => token.startsWith("eyJ"))) assert.ok(!disk.includes(token.split(".")[2]), "a signature of a token");
  const registrations = JSON.stringify(recordsOf(postern, "registration"));
  assert.ok(registrations.length > 500);
  for (const code of told.codes.flatMap(Object.values)) {
    assert.doesNotMatch(registrations, SIX(code));
    for (const trace of hashes(code)) assert.ok(!disk.includes(trace), "a bare digest of six digits is no secret");
  }
});

test("a delivery is kept sealed: what the agent gets again is not to be read on the disk (C5)", async () => {
  const ceremony = await onBehalf(postern);
  const person = await atPage(postern, ceremony);
  await type(person, ceremony.user_code);
  const got = await poll(postern, ceremony.claim_token);
  await sleep(300);
  const disk = bytes(postern);
  for (const secret of [got.body.access_token, got.body.identity_assertion.split(".")[2], got.body.identity.refresh_token.value]) assert.ok(!disk.includes(secret));
  for (const form of ["base64", "base64url", "hex"]) assert.ok(!disk.includes(Buffer.from(got.text).toString(form).slice(0, 200)));
  assert.equal((await poll(postern, ceremony.claim_token)).text, got.text);
});

test("what a page's address holds is sent nowhere: not in a Location of another host, not in a referrer", async () => {
  const { claim_token } = await register(postern);
  const { body } = await start(postern, { claim_token, login_hint: someone() });
  const person = await new Browser(postern).send(body.claim_attempt.verification_uri);
  assert.equal(person.headers.get("referrer-policy"), "no-referrer");
  const signedOut = await new Browser(postern).send(`/claim?claim_attempt_token=${attemptToken(body.claim_attempt.verification_uri)}`);
  assert.equal(new URL(signedOut.headers.get("location"), postern.issuer).origin, postern.issuer);
  assert.equal(signedOut.headers.get("referrer-policy"), "no-referrer");
  await ok(postern.get("/health"));
});
