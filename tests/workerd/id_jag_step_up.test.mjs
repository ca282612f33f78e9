// The first time that a provider speaks of somebody who has an account: that person is asked, and nobody else.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { attemptToken, complete, page, poll } from "./support/claim.mjs";
import { Browser, codeOn, mails, newestMail } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { admitted, asked, confirm, confirmRelay, confirmTyped, present, presentV01, refusedWith } from "./support/vouched.mjs";

let postern, provider, other, second;
before(async () => {
  [provider, other] = [await provide({ name: "Example & Sons" }), await provide({ name: "Other Agents" })];
  postern = await deploy({ isolates: 2, vars: { ...trusting(provider, other), MAILS_PER_HOUR: "100000" } });
  second = await postern.second();
});
after(() => Promise.all([postern.stop(), provider.stop(), other.stop()]));

const address = () => `${randomUUID()}@example.com`;
const idJag = (who, from = provider) => from.idJag(postern, who);
const phone = () => `+4916${String(Math.floor(Math.random() * 1e9)).padStart(9, "0")}`;
/** A person with an account, signed in, and an agent of theirs at the provider that nobody has confirmed yet. */
async function met(more = {}) {
  const email = address();
  const browser = await new Browser(postern).signIn(email);
  return { email, browser, who: { sub: randomUUID(), email, ...more } };
}

describe("the answer", () => {
  test("is 401 with the claim block, the same flat and nested, and its own challenge (8, 59, C22)", async () => {
    const { who } = await met();
    const got = await present(postern, idJag(who));
    assert.deepEqual([got.status, got.body.error], [401, "interaction_required"], got.text);
    const { body } = got;
    assert.deepEqual([body.registration_id, body.registration_type], [body.id, body.type]);
    assert.equal(body.type, "identity_assertion");
    assert.deepEqual([body.claim.token, body.claim.url, body.claim.expires_at], [body.claim_token, body.claim_url, body.claim_token_expires]);
    assert.equal(body.claim.url, `${postern.issuer}/agent/identity/claim`);
    assert.match(body.claim.user_code, /^\d{6}$/);
    assert.deepEqual([body.claim.expires_in, body.claim.interval], [600, 5]);
    assert.equal(body.claim.attempt.verification_uri, body.claim.verification_uri);
    assert.ok(Date.parse(body.claim.attempt.expires_at) > Date.now());
    assert.deepEqual([body.post_claim_scopes, body.scopes.post_claim], [["api.read", "api.write"], ["api.read", "api.write"]]);
    assert.ok(!body.claim.verification_uri.includes(body.claim.user_code));
    for (const name of ["identity", "identity_assertion", "assertion_expires", "pre_claim_scopes", "credential", "access_token"]) assert.equal(body[name], undefined, name);
    assert.match(got.headers.get("www-authenticate"), /^AgentAuth error="interaction_required", error_description="[^"]+"$/);
    assert.equal(got.headers.get("cache-control"), "no-store");
    assert.ok(body.error_description.length > 5 && body.message.length > 5);
    // At the API the challenge stays Bearer.
    assert.match((await read(postern.get("/api/v1/auth/me"))).headers.get("www-authenticate"), /^Bearer /);
  });

  test("tells nothing of the account, by address or by number, not even the address on file (39, 41, 59)", async () => {
    const [email, number] = [address(), phone()];
    // A provider brings a person with both; their account then has this address and number.
    await admitted(postern, idJag({ sub: randomUUID(), email, phone_number: number, phone_number_verified: true, name: "Ada Secret" }));
    const browser = await new Browser(postern).signIn(email);
    for (const who of [{ sub: randomUUID(), email: email.toUpperCase() }, { sub: randomUUID(), email: undefined, email_verified: undefined, phone_number: number, phone_number_verified: true }]) {
      const got = await present(postern, idJag(who, other));
      assert.deepEqual([got.status, got.body.error], [401, "interaction_required"], got.text);
      for (const secret of [email, email.split("@")[0], number, "Ada", "Secret", "Example &", "acc_"]) assert.ok(!got.text.toLowerCase().includes(secret.toLowerCase()), secret);
      assert.ok(!JSON.stringify([...got.headers]).includes(email));
      // Whoever is signed in with the address on file can confirm, so that is where the request went.
      await browser.open(page(got.body.claim.verification_uri));
      assert.equal(browser.status, 200, browser.html);
    }
    assert.equal((await mails(postern, email)).length, 1, "nothing was mailed but the sign-in code");
  });

  test("is a refusal where the matched account has no address to be asked at (41)", async () => {
    const number = phone();
    const nobody = { email: undefined, email_verified: undefined, phone_number: number, phone_number_verified: true };
    await admitted(postern, idJag({ sub: randomUUID(), ...nobody }));
    await refusedWith(present(postern, idJag({ sub: randomUUID(), ...nobody }, other)), 400, "missing_verified_email");
  });

  test("in auth.md v0.1 is in its own words, and mails the person the link (59, 74)", async () => {
    const { email, who } = await met();
    for (const wanted of ["api_key", "access_token"]) {
      const got = await presentV01(postern, idJag({ ...who, sub: `${who.sub}-${wanted}` }), wanted);
      assert.deepEqual([got.status, got.body.error, got.body.registration_type], [401, "interaction_required", "id-jag-step-up"], got.text);
      assert.equal(got.body.claim_url, `${postern.issuer}/agent/auth/claim`);
      for (const name of ["claim", "identity", "id", "credential", "user_code"]) assert.equal(got.body[name], undefined, name);
      assert.ok(!got.text.includes(email));
      const { links } = await newestMail(postern, email);
      // The letter is proof of the address, and the page still wants a click.
      const browser = await new Browser(postern).open(links[0]);
      assert.equal(codeOn(browser.html), undefined);
      assert.match(browser.html, /Example &(amp|#38); Sons/);
      await browser.submit("/claim/code");
      const done = await ok(postern.json("/agent/auth/claim/complete", { claim_token: got.body.claim_token, otp: codeOn(browser.html) }));
      assert.deepEqual([done.status, done.credential_type], ["claimed", wanted]);
      assert.equal(await call(postern.issuer, done.credential), 200);
      const clean = await presentV01(postern, idJag({ ...who, sub: `${who.sub}-${wanted}` }), "api_key");
      assert.equal(clean.status, 200, clean.text);
    }
  });
});

describe("the person", () => {
  test("sees who vouches, in our words, and that it is the first time; types the code; then it is clean (39, 40, 59)", async () => {
    const { browser, who } = await met({ name: "Totally Google" });
    const step = await asked(postern, idJag({ ...who, iss_name: "Totally Google" }));
    await browser.open(page(step.claim.verification_uri));
    assert.match(browser.html, /Example &(amp|#38); Sons/);
    assert.ok(browser.html.includes(provider.issuer));
    assert.ok(!browser.html.includes("Totally Google"));
    assert.match(browser.html, /first time/i);
    const got = await confirmTyped(postern, browser, step);
    assert.equal(await call(postern.issuer, got.access_token), 200);
    assert.equal(claims(got.access_token).sub, step.id);
    assert.ok(got.identity.refresh_token.value.startsWith("art_"));
    for (let again = 0; again < 3; again += 1) {
      const clean = await admitted(postern, idJag(who));
      assert.equal(clean.id, step.id, "stable (46)");
      assert.equal(clean.identity.refresh_token, undefined);
    }
    assert.equal(await call(postern.issuer, got.access_token), 200, "what was given stays good");
    // Another agent of the same provider is no longer the first.
    const later = await asked(postern, idJag({ ...who, sub: randomUUID() }));
    await browser.open(page(later.claim.verification_uri));
    assert.doesNotMatch(browser.html, /first time/i);
  });

  test("gets a code for the agent instead, and the agent completes; then it is clean (44)", async () => {
    const { browser, who } = await met();
    const step = await asked(postern, idJag(who));
    assert.equal((await complete(postern, step.claim.token, "123456")).body.error, "claim_not_confirmed");
    const done = await confirmRelay(postern, browser, step);
    assert.deepEqual([done.id, done.status], [step.id, "claimed"]);
    await exchange(postern, done.identity.assertion);
    assert.equal((await admitted(postern, idJag(who), { base: second, headers: { "cf-connecting-ip": "10.79.0.1" } })).id, step.id);
  });

  test("of another provider, or another subject, is asked again: each link is confirmed by itself (40)", async () => {
    const { browser, who } = await met();
    await confirmTyped(postern, browser, await asked(postern, idJag(who)));
    const step = await asked(postern, idJag(who, other));
    await browser.open(page(step.claim.verification_uri));
    assert.match(browser.html, /Other Agents/);
    assert.match(browser.html, /first time/i);
    await asked(postern, idJag({ ...who, sub: randomUUID() }));
    await admitted(postern, idJag(who));
  });

  test("is the matched one: nobody else can open, confirm or deny (33, 66)", async () => {
    const { browser, who } = await met();
    const stranger = await new Browser(postern).signIn(address());
    const step = await asked(postern, idJag(who));
    await stranger.open(page(step.claim.verification_uri));
    assert.equal(stranger.status, 403);
    assert.ok(!stranger.html.includes(who.email) && !/user_code/.test(stranger.html));
    await stranger.open("/account");
    const csrf = /name="csrf" value="([^"]+)"/.exec(stranger.html)[1];
    const claim_attempt_token = attemptToken(step.claim.verification_uri);
    for (const [path, more] of [["/agent/identity/claim/complete", { user_code: step.claim.user_code }], ["/claim/code", {}], ["/claim/deny", {}]]) {
      await stranger.post(path, { csrf, claim_attempt_token, ...more });
      assert.equal(stranger.status, 403, `${path} ${stranger.html}`);
      assert.equal(codeOn(stranger.html), undefined);
    }
    const nobody = await new Browser(postern).open(page(step.claim.verification_uri));
    assert.ok(!/user_code/.test(nobody.html) && !nobody.html.includes(who.email));
    assert.equal((await poll(postern, step.claim_token)).body.error, "authorization_pending");
    await asked(postern, idJag({ ...who, sub: randomUUID() }));
    await confirmTyped(postern, browser, step);
  });

  test("says no: the agent is told, nothing is linked, and the next assertion asks again (29)", async () => {
    const { browser, who } = await met();
    const step = await asked(postern, idJag(who));
    await browser.open(page(step.claim.verification_uri));
    await browser.submit("/claim/deny");
    assert.equal((await poll(postern, step.claim_token)).body.error, "access_denied");
    await asked(postern, idJag(who));
  });
});
