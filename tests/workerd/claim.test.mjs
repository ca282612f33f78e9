// The claim ceremony from end to end: the typed code, the relay code, and the mailed link.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deploy } from "./support/postern.mjs";
import { JWT_BEARER, call, exchange, register, registerKey } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { complete, page, poll, start } from "./support/claim.mjs";
import { Browser, codeOn, newestMail } from "./support/person.mjs";

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

test("a person types the code that the agent shows, and the agent gets in by polling", async () => {
  const agent = await register(postern);
  const early = await exchange(postern, agent.identity_assertion);
  assert.equal((await poll(postern, agent.claim_token)).body.error, "authorization_pending");
  const started = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: "typed@example.com" });
  assert.equal(started.status, 200, started.text);
  const { user_code, verification_uri, interval } = started.body.claim_attempt;
  assert.match(user_code, /^\d{6}$/);
  assert.equal(interval, 5);
  const person = await new Browser(postern).signIn("typed@example.com", verification_uri);
  assert.equal(person.status, 200, person.html);
  assert.match(person.html, /claim_attempt_token/);
  await person.submit("/agent/identity/claim/complete", { user_code });
  assert.equal(person.status, 200, person.html);
  assert.match(person.html, /Approved/);
  const got = await poll(postern, agent.claim_token);
  assert.equal(got.status, 200, got.text);
  assert.equal(got.body.scope, "api.read api.write");
  assert.equal(await call(postern.issuer, got.body.access_token), 200);
  assert.equal(await call(postern.issuer, early.access_token), 401, "nothing issued before the claim works after it");
  const old = await read(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: agent.identity_assertion }));
  assert.equal(old.body.error, "invalid_grant");
  const again = await poll(postern, agent.claim_token);
  assert.equal(again.text, got.text, "a repeat is byte-identical");
  await exchange(postern, got.body.identity_assertion);
  assert.equal((await poll(postern, agent.claim_token)).body.error, "expired_token");
  await person.open("/account");
  assert.match(person.html, new RegExp(agent.registration_id));
});

test("a person reads the code of the page to the agent, and the agent completes", async () => {
  const agent = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: "relay@example.com" }));
  assert.equal(agent.identity, undefined);
  const person = await new Browser(postern).signIn("relay@example.com", agent.claim.attempt.verification_uri);
  assert.equal((await complete(postern, agent.claim.token, "000000")).body.error, "claim_not_confirmed");
  await person.submit("/claim/code");
  const code = codeOn(person.html);
  assert.match(code, /^\d{6}$/, person.html);
  const done = await complete(postern, agent.claim.token, code);
  assert.equal(done.status, 200, done.text);
  assert.equal(done.body.status, "claimed");
  const { access_token } = await exchange(postern, done.body.identity.assertion);
  assert.equal(await call(postern.issuer, access_token), 200);
  const refreshed = await ok(postern.json("/agent/identity", { type: "refresh", refresh_token: done.body.identity.refresh_token.value }));
  assert.equal(refreshed.type, "refresh");
  await exchange(postern, refreshed.identity.assertion);
});

test("an agent of auth.md v0.1 has its person mailed, and gets a new key for the code behind the link", async () => {
  const agent = await registerKey(postern);
  const started = await ok(postern.json("/agent/auth/claim", { claim_token: agent.claim_token, email: "mailed@example.com" }));
  assert.equal(started.status, "initiated");
  const { links } = await newestMail(postern, "mailed@example.com");
  const person = await new Browser(postern).open(links[0]);
  assert.equal(person.status, 200, person.html);
  await person.submit("/claim/code");
  const otp = codeOn(person.html);
  const done = await ok(postern.json("/agent/auth/claim/complete", { claim_token: agent.claim_token, otp }));
  assert.equal(done.status, "claimed");
  assert.equal(await call(postern.issuer, done.credential), 200);
  assert.equal(done.credential_expires, null);
});
