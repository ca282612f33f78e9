// Claim by ID-JAG: a provider vouches that an anonymous agent is its person's.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call, exchange, register } from "./support/agent.mjs";
import { bearer, ok, read } from "./support/answers.mjs";
import { complete, page, poll, start } from "./support/claim.mjs";
import { Browser, codeOn } from "./support/person.mjs";
import { OPERATOR_KEY, ROUNDS, deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { admitted, asked, claimBy, confirm, confirmTyped, exchangeable, present, presentV01, push, refusedWith } from "./support/vouched.mjs";

let postern, provider, second;
before(async () => {
  provider = await provide({ name: "Example Agents" });
  postern = await deploy({ isolates: 2, vars: { ...trusting(provider), MAILS_PER_HOUR: "100000" } });
  second = await postern.second();
});
after(() => Promise.all([postern.stop(), provider.stop()]));

const address = () => `${randomUUID()}@example.com`;
const idJag = (who) => provider.idJag(postern, who);
const newcomer = () => ({ sub: randomUUID(), email: address() });
const signedIn = (email = address()) => new Browser(postern).signIn(email);
const service = (login_hint) => ok(postern.json("/agent/identity", { type: "service_auth", login_hint }));
/** Somebody with an account, and what their provider says. */
async function met() {
  const email = address();
  return { email, browser: await signedIn(email), who: { sub: randomUUID(), email } };
}
/** The claim by ID-JAG of an anonymous agent that waits for the matched person. */
async function waiting(who) {
  const agent = await register(postern);
  const step = await claimBy(postern, agent.claim_token, idJag(who));
  assert.deepEqual([step.status, step.body.status], [200, "initiated"], step.text);
  return { agent, attempt: step.body.claim_attempt, step: step.body };
}
const claimed = async (browser, id) => (await browser.open("/account")).html.includes(id);

describe("claim by ID-JAG", () => {
  test("of somebody known or new claims at once, without an access token, and ends what was before (63)", async () => {
    const known = newcomer();
    await admitted(postern, idJag(known));
    for (const who of [known, newcomer()]) {
      const agent = await register(postern);
      const early = await exchange(postern, agent.identity_assertion);
      const { status, body, text, headers } = await claimBy(postern, agent.claim_token, idJag(who));
      assert.equal(status, 200, text);
      assert.deepEqual([body.status, body.registration_id, body.id, body.registration_type], ["claimed", agent.id, agent.id, "identity_assertion"]);
      assert.deepEqual(body.identity, { assertion: body.identity_assertion, expires_at: body.assertion_expires });
      assert.ok(!/access_token|refresh_token|claim_attempt/.test(text));
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(await call(postern.issuer, early.access_token), 401);
      assert.equal(await exchangeable(postern, agent.identity_assertion), 400);
      const token = await exchange(postern, body.identity_assertion);
      assert.equal(token.scope, "api.read api.write");
      assert.equal(await call(postern.issuer, token.access_token), 200);
      assert.notEqual((await admitted(postern, idJag(who))).id, agent.id, "the subject's own registration is another");
      assert.ok(await claimed(await signedIn(who.email), agent.id));
      // Nothing is left to claim.
      await refusedWith(claimBy(postern, agent.claim_token, idJag(who)), 409, "claimed_or_in_flight");
      await refusedWith(start(postern, { claim_token: agent.claim_token, login_hint: address() }), 409, "claimed_or_in_flight");
      assert.equal((await poll(postern, agent.claim_token)).status, 400);
    }
  });

  test("of somebody with an account starts an attempt that only they can confirm, and that names the provider (63, 66, 39)", async () => {
    const { browser, who } = await met();
    const { agent, attempt, step } = await waiting(who);
    assert.equal(step.registration_type, "identity_assertion");
    assert.match(step.claim_attempt_id, /^cla_/);
    assert.equal(step.identity_assertion, undefined);
    assert.ok(!JSON.stringify(step).includes(who.email));
    const stranger = await signedIn();
    await stranger.open(page(attempt.verification_uri));
    assert.equal(stranger.status, 403);
    await browser.open(page(attempt.verification_uri));
    assert.match(browser.html, /Example Agents/);
    await browser.submit("/agent/identity/claim/complete", { user_code: attempt.user_code });
    assert.match(browser.html, /Approved/);
    const got = await poll(postern, agent.claim_token);
    assert.equal(got.status, 200, got.text);
    // The link is the person's now.
    await admitted(postern, idJag(who));
  });

  test("by the code that the page shows works too (63)", async () => {
    const { browser, who } = await met();
    const { agent, attempt } = await waiting(who);
    await browser.open(page(attempt.verification_uri));
    await browser.submit("/claim/code");
    const done = await complete(postern, agent.claim_token, codeOn(browser.html));
    assert.equal(done.status, 200, done.text);
    await admitted(postern, idJag(who));
  });

  test("is for anonymous registrations alone (63)", async () => {
    const who = newcomer();
    const pending = await service(address());
    await refusedWith(claimBy(postern, pending.claim_token, idJag(who)), 409, "claimed_or_in_flight");
    const { who: somebody } = await met();
    const step = await asked(postern, idJag(somebody));
    await refusedWith(claimBy(postern, step.claim_token, idJag(somebody)), 409, "claimed_or_in_flight");
    // Nobody was made by the refusals: the address is still free.
    assert.equal((await signedIn(who.email)).status, 200);
    await asked(postern, idJag(who));
  });

  test("with an unknown claim token, or an assertion that does not count, is refused, and uses nothing up (63, 65)", async () => {
    const [agent, who] = [await register(postern), newcomer()];
    const token = idJag(who);
    for (const wrong of ["x", `${agent.claim_token}x`, agent.identity_assertion, "clm_"]) await refusedWith(claimBy(postern, wrong, token), 401, "invalid_claim_token");
    for (const wrong of [undefined, 5, null, [agent.claim_token]]) await refusedWith(claimBy(postern, wrong, token), 400, "invalid_request");
    await refusedWith(claimBy(postern, agent.claim_token, idJag({ ...who, auth_time: 1 })), 401, "login_required");
    await refusedWith(claimBy(postern, agent.claim_token, idJag({ ...who, email_verified: "true" })), 400, "missing_verified_email");
    await refusedWith(claimBy(postern, agent.claim_token, idJag({ ...who, aud: "https://other.example" })), 400, "invalid_audience");
    await refusedWith(claimBy(postern, agent.claim_token, token.replace(/..$/, "AA")), 400, "invalid_signature");
    await refusedWith(claimBy(postern, agent.claim_token, undefined), 400, "invalid_request");
    assert.equal((await claimBy(postern, agent.claim_token, token)).status, 200);
    await refusedWith(claimBy(postern, (await register(postern)).claim_token, token), 400, "replay_detected");
    await refusedWith(present(postern, token), 400, "replay_detected");
  });

  test("shown a hundred times at once, at two isolates and for two agents, claims once (25, 63)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const [one, two, token] = [await register(postern), await register(postern), idJag(newcomer())];
      const body = (agent) => ({ type: "identity_assertion", claim_token: agent.claim_token, assertion: token });
      const there = (agent) => read(fetch(`${second}/agent/identity/claim`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body(agent)) }));
      const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => (index % 2 ? claimBy(postern, (index % 4 > 1 ? one : two).claim_token, token) : there(index % 4 > 1 ? one : two))));
      assert.equal(answers.filter(({ status }) => status === 200).length, 1, answers.map(({ status, body }) => `${status} ${body?.error ?? ""}`).join());
    }
  });

  test("many words for one agent at once: it becomes one person's, and the others get nothing (63)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const agent = await register(postern);
      const everybody = Array.from({ length: 10 }, newcomer);
      const answers = await Promise.all(everybody.map((who) => claimBy(postern, agent.claim_token, idJag(who))));
      const winners = everybody.filter((_, index) => answers[index].status === 200);
      assert.equal(winners.length, 1, answers.map(({ status, body }) => `${status} ${body?.error ?? ""}`).join());
      const loser = everybody.find((who) => who !== winners[0]);
      assert.equal((await push(postern, provider.event(postern, { sub: loser.sub }))).status, 202);
      const [won] = answers.filter(({ status }) => status === 200);
      assert.equal(await exchangeable(postern, won.body.identity_assertion), 200, "a loser's provider ends nothing of the winner's");
    }
  });
});

describe("an attempt under way", () => {
  test("is not overtaken by an ID-JAG: 409 with a message, and nobody is made or linked (64, C18, 1.12 5)", async () => {
    const agent = await register(postern);
    const email = address();
    const attempt = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: email });
    const who = newcomer();
    const token = idJag(who);
    const got = await refusedWith(claimBy(postern, agent.claim_token, token), 409, "ceremony_in_flight");
    assert.ok(got.body.message.length > 5);
    // Were there a person or a link by now, the first sign-in and this assertion would tell.
    assert.match((await signedIn(who.email)).url, /account|\//);
    await asked(postern, idJag(who));
    // The attempt goes on, and the refused assertion was not used up.
    const person = await signedIn(email);
    await confirm(person, attempt.body.claim_attempt);
    assert.equal((await poll(postern, agent.claim_token)).status, 200);
    await asked(postern, token);
  });

  test("that waits for a matched person is not overtaken either, and one without a word of a provider replaces it (C16, C18)", async () => {
    const { browser, who } = await met();
    const { agent, attempt } = await waiting(who);
    await refusedWith(claimBy(postern, agent.claim_token, idJag(newcomer())), 409, "ceremony_in_flight");
    const [email, again] = [address(), await start(postern, { claim_token: agent.claim_token, login_hint: address() })];
    assert.equal(again.status, 200, again.text);
    const last = await start(postern, { claim_token: agent.claim_token, login_hint: email });
    await browser.open(page(attempt.verification_uri));
    assert.equal(browser.status, 404, "the page of the first attempt is gone");
    const person = await signedIn(email);
    await confirm(person, last.body.claim_attempt);
    await asked(postern, idJag(who));
  });

  test("that was denied may be followed by an ID-JAG (C18)", async () => {
    const [agent, email] = [await register(postern), address()];
    const { body } = await start(postern, { claim_token: agent.claim_token, login_hint: email });
    const person = await signedIn(email);
    await person.open(page(body.claim_attempt.verification_uri));
    await person.submit("/claim/deny");
    const got = await claimBy(postern, agent.claim_token, idJag(newcomer()));
    assert.ok([200, 409].includes(got.status), got.text);
  });
});

describe("a step-up that goes on at the claim endpoint", () => {
  test("keeps the address that it began with (C15)", async () => {
    const { browser, who } = await met();
    const step = await asked(postern, idJag(who));
    await refusedWith(start(postern, { type: "login_hint", claim_token: step.claim_token, login_hint: address() }), 400, "invalid_login_hint");
    await refusedWith(start(postern, { type: "service_auth", claim_token: step.claim_token, login_hint: address() }), 400, "invalid_login_hint");
    await confirmTyped(postern, browser, step);
  });

  /** The step-up begun anew at the claim endpoint, by the address that the agent knows. */
  async function again() {
    const { email, browser, who } = await met();
    const step = await asked(postern, idJag(who));
    const got = await start(postern, { type: "login_hint", claim_token: step.claim_token, login_hint: email });
    assert.equal(got.status, 200, got.text);
    return { browser, who, step, attempt: got.body.claim_attempt };
  }

  test("still names the provider: the registration is its subject's (39, C16)", async () => {
    const { browser, attempt } = await again();
    await browser.open(page(attempt.verification_uri));
    assert.ok(browser.html.includes("Example Agents"), "the page must say who vouches");
  });

  test("still gives what the provider can take back (72)", async () => {
    const { browser, who, step, attempt } = await again();
    await confirm(browser, attempt);
    const got = await poll(postern, step.claim_token);
    assert.equal(got.status, 200, got.text);
    assert.equal((await push(postern, provider.event(postern, { sub: who.sub }))).status, 202);
    assert.equal(await exchangeable(postern, got.body.identity_assertion), 400, "the provider has taken it back");
  });

  test("links the subject, as the person has confirmed it: the next assertion is clean (40)", async () => {
    const { browser, who, step, attempt } = await again();
    await confirm(browser, attempt);
    assert.equal((await admitted(postern, idJag(who))).id, step.id);
  });
});

test("a letter is proof of its address only where there is nothing stronger: with a passkey one signs in first (C20)", async () => {
  const { email, browser, who } = await met();
  assert.equal(browser.status, 200);
  const { account } = await ok(postern.json("/operator/people/resume", { email }, bearer(OPERATOR_KEY)));
  const accounts = await postern.mf.getDurableObjectNamespace("ACCOUNT");
  const key = { credential: "AbC-_", key: { kty: "EC", alg: "ES256" }, sign_count: 0, name: "Key", created: 7, used: null };
  const added = await accounts.get(accounts.idFromName(account)).fetch("https://account/", { method: "POST", body: JSON.stringify({ AddPasskey: key }) });
  assert.equal(await added.json(), "Done");
  const got = await presentV01(postern, idJag(who), "api_key");
  assert.equal(got.status, 401, got.text);
  const [{ links }] = (await (await postern.get("/dev/outbox")).json()).filter((mail) => mail.to.toLowerCase() === email && mail.links.length);
  const visitor = await new Browser(postern).open(links.find((link) => /cvt_/.test(link)));
  assert.ok(!visitor.html.includes("/claim/code"), visitor.html);
  await browser.open(links.find((link) => /cvt_/.test(link)));
  assert.ok(browser.html.includes("/claim/code"), browser.html);
});
