// The mailed link of auth.md v0.1: what is mailed and how often, who may open it, what it brings, and in which order it is refused.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, register, registerKey } from "./support/agent.mjs";
import { bearer, ok, read } from "./support/answers.mjs";
import { csrf, operator, refusedAgent, reveal, someone, wrong } from "./support/ceremony.mjs";
import { Browser, codeOn, forms, mails, newestMail } from "./support/person.mjs";
import { address, deploy, ROUNDS } from "./support/postern.mjs";

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_HOUR: "100000" } })));
after(() => postern.stop());

const claim = (claim_token, email, ip = address(), on = postern) => on.json("/agent/auth/claim", { claim_token, email }, { "cf-connecting-ip": ip });
const submit = (claim_token, otp, on = postern) => on.json("/agent/auth/claim/complete", { claim_token, otp });
const challenge = (claim_attempt_token, headers = {}) => read(postern.json("/agent/auth/claim/attempt/challenge", { claim_attempt_token }, headers));
const tokenOf = (link) => new URL(link).searchParams.get("claim_attempt_token");
const linkTo = async (email, on = postern) => (await newestMail(on, email)).links[0];
const byMail = (email) => ({ type: "identity_assertion", assertion_type: "verified_email", assertion: email, requested_credential_type: "api_key" });

describe("mail", () => {
  test("goes out once for one address while its link is open, whatever its case, and the attempt is the same (C10, edge 55, 57)", async () => {
    const { claim_token, registration_id } = await registerKey(postern);
    const email = someone();
    const first = await ok(claim(claim_token, email));
    assert.match(first.claim_attempt_id, /^cla_/);
    assert.notEqual(first.claim_attempt_id, registration_id);
    for (const same of [email, email.toUpperCase(), ` ${email} `]) assert.deepEqual(await ok(claim(claim_token, same)), first);
    assert.equal((await mails(postern, email)).length, 1);
  });

  test("goes out once of a hundred requests at once (C10)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { claim_token } = await registerKey(postern);
      const email = someone();
      const answers = await Promise.all(Array.from({ length: 100 }, () => read(claim(claim_token, email))));
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1, answers.find(({ status }) => status !== 200)?.text);
      assert.equal((await mails(postern, email)).length, 1);
    }
  });

  test("to another address takes the place of the one before: the old link and its code are dead (1, edge 54)", async () => {
    const { claim_token } = await registerKey(postern);
    const [eve, victim] = [someone("eve"), someone("victim")];
    await new Browser(postern).signIn(victim);
    await ok(claim(claim_token, eve));
    const old = await linkTo(eve);
    const otp = await reveal(await new Browser(postern).open(old));
    await ok(claim(claim_token, victim));
    await refusedAgent(submit(claim_token, otp), 400, "otp_not_generated", "the code of the first address does not complete the second's");
    assert.equal((await new Browser(postern).open(old)).status, 404);
    assert.deepEqual([(await challenge(tokenOf(old))).status, (await challenge(tokenOf(old))).body.error], [410, "claim_superseded"]);
    const mine = await reveal(await new Browser(postern).open(await linkTo(victim)));
    if (mine !== otp) await refusedAgent(submit(claim_token, otp), 401, "otp_invalid");
  });

  test("stays within the limit of an address, also when an agent takes turns between two of them (edge 60)", async () => {
    const one = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "2" } });
    try {
      const { claim_token } = await registerKey(one);
      const [a, b] = [someone(), someone()];
      for (let turn = 0; turn < 10; turn += 1) await read(claim(claim_token, turn % 2 ? b : a, address(), one));
      for (const email of [a, b]) assert.ok((await mails(one, email)).length <= 2, `${(await mails(one, email)).length} mails to one address`);
    } finally {
      await one.stop();
    }
  });

  test("has a limit for each address, each network and the deployment, and says when to come again (edge 60)", async () => {
    const one = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "2", MAILS_PER_NETWORK_PER_HOUR: "3", MAILS_PER_HOUR: "7" } });
    try {
      const ask = async (email, ip) => claim((await registerKey(one)).claim_token, email, ip, one);
      const [victim, ip] = [someone(), address()];
      for (let time = 0; time < 2; time += 1) await ok(ask(victim));
      await refusedAgent(ask(victim), 429, "rate_limited");
      await refusedAgent(one.json("/agent/auth", byMail(victim), { "cf-connecting-ip": address() }), 429, "rate_limited");
      for (let time = 0; time < 3; time += 1) await ok(ask(someone(), ip));
      await refusedAgent(ask(someone(), ip), 429, "rate_limited");
      const last = [];
      for (let time = 0; time < 4; time += 1) last.push((await ask(someone())).status);
      assert.equal(last.at(-1), 429);
      assert.ok((await (await fetch(`${one.issuer}/dev/outbox`)).json()).length <= 7);
    } finally {
      await one.stop();
    }
  });

  test("is not counted for an attempt that is refused: another address than the registration's, or one attempt too many (edge 60, 72)", async () => {
    const one = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "2", MAILS_PER_NETWORK_PER_HOUR: "1000" } });
    try {
      const [email, victim] = [someone(), someone("victim")];
      const { claim_token } = await ok(one.json("/agent/auth", byMail(email)));
      for (let time = 0; time < 3; time += 1) await refusedAgent(claim(claim_token, victim, address(), one), 409, "claimed_or_in_flight");
      assert.equal((await mails(one, victim)).length, 0);
      await new Browser(one).signIn(victim);

      const other = (await registerKey(one)).claim_token;
      const late = someone("late");
      for (let time = 0; time < 10; time += 1) await ok(claim(other, someone(), address(), one));
      for (let time = 0; time < 3; time += 1) await refusedAgent(claim(other, late, address(), one), 429, "rate_limited");
      assert.equal((await mails(one, late)).length, 0);
      await new Browser(one).signIn(late);
    } finally {
      await one.stop();
    }
  });

  test("and answers say the same whether the address has an account, and change nothing for it (edge 61)", async () => {
    const [known, unknown] = [someone("known"), someone("fresh")];
    const victim = await new Browser(postern).signIn(known, "/account");
    const shape = (value) => (value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shape(inner)])) : typeof value);
    for (const ask of [async (email) => read(claim((await registerKey(postern)).claim_token, email)), (email) => read(postern.json("/agent/auth", byMail(email))), (email) => read(postern.json("/agent/identity", { type: "service_auth", login_hint: email })), async (login_hint) => read(postern.json("/agent/identity/claim", { claim_token: (await register(postern)).claim_token, login_hint }))]) {
      const [one, two] = [await ask(known), await ask(unknown)];
      assert.equal(one.status, 200, one.text);
      assert.deepEqual([one.status, shape(one.body)], [two.status, shape(two.body)]);
    }
    const [there, fresh] = [await newestMail(postern, known), await newestMail(postern, unknown)];
    assert.equal(there.subject, fresh.subject);
    await victim.open("/account");
    assert.doesNotMatch(victim.html, /reg_[0-9A-Za-z]{22}/, "no agent is theirs");
  });
});

describe("the link", () => {
  test("shows no code and changes nothing by being opened, prefetched or followed by a scanner (edge 63)", async () => {
    const { claim_token } = await registerKey(postern);
    const email = someone();
    await ok(claim(claim_token, email));
    const link = await linkTo(email);
    for (const method of ["GET", "HEAD", "OPTIONS"]) {
      const scanner = await new Browser(postern).send(link, { method });
      assert.equal(codeOn(scanner.html), undefined);
      assert.equal((await fetch(`${postern.issuer}/agent/auth/claim/attempt/challenge?claim_attempt_token=${tokenOf(link)}`, { method })).status, method === "OPTIONS" ? 204 : 405);
    }
    await refusedAgent(submit(claim_token, "123456"), 400, "otp_not_generated");
    assert.equal((await challenge(claim_token)).body.error, "claim_superseded", "the agent's token opens no page (edge 65)");
    for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) assert.equal((await challenge(tokenOf(link), headers)).status, 403);
    await refusedAgent(submit(claim_token, "123456"), 400, "otp_not_generated");
  });

  test("is not enough when somebody else has signed in there", async () => {
    const { claim_token } = await registerKey(postern);
    const email = someone();
    await ok(claim(claim_token, email));
    const link = await linkTo(email);
    const eve = await new Browser(postern).signIn(someone("eve"), "/account");
    await eve.open(link);
    assert.equal(eve.status, 403);
    await eve.post("/claim/code", { csrf: csrf(eve), claim_attempt_token: tokenOf(link) });
    assert.equal(eve.status, 403);
    const cookie = [...eve.cookies].map((pair) => pair.join("=")).join("; ");
    assert.deepEqual([(await challenge(tokenOf(link), { cookie })).body.error], ["access_denied"]);
    await refusedAgent(submit(claim_token, "123456"), 400, "otp_not_generated");
  });

  test("has a button that denies; used, denied or superseded it says so (edge 75)", async () => {
    const { claim_token } = await registerKey(postern);
    const email = someone();
    await ok(claim(claim_token, email));
    const link = await linkTo(email);
    const person = await new Browser(postern).open(link);
    assert.ok("/claim/deny" in forms(person.html) && !("/agent/identity/claim/complete" in forms(person.html)));
    await person.submit("/claim/deny");
    assert.equal((await new Browser(postern).open(link)).status, 410);
    assert.deepEqual([(await challenge(tokenOf(link))).body.error], ["claim_denied"]);
    await refusedAgent(submit(claim_token, "123456"), 403, "claim_denied");
  });

  test("withdrawn while it is open shows nothing more (edge 77)", async () => {
    const { claim_token, registration_id, credential } = await registerKey(postern);
    const email = someone();
    await ok(claim(claim_token, email));
    const person = await new Browser(postern).open(await linkTo(email));
    const otp = await reveal(person);
    await operator(postern, "registrations/revoke", { registration_id });
    await refusedAgent(submit(claim_token, otp), 410, "claim_expired");
    assert.equal((await new Browser(postern).open(await linkTo(email))).status, 410);
    assert.equal(await call(postern.issuer, credential), 401);
    await refusedAgent(claim(claim_token, email), 410, "claim_expired");
  });
});

describe("completing", () => {
  test("brings a new key with all scopes, and leaves the old one what it had before (C8)", async () => {
    const { claim_token, credential } = await registerKey(postern);
    const email = someone();
    await ok(claim(claim_token, email));
    const done = await ok(submit(claim_token, await reveal(await new Browser(postern).open(await linkTo(email)))));
    assert.notEqual(done.credential, credential);
    assert.deepEqual([done.status, done.credential_type, done.scopes], ["claimed", "api_key", ["api.read", "api.write"]]);
    const scope = async (key) => (await ok(postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: key }))).scope;
    assert.deepEqual([await scope(credential), await scope(done.credential)], ["api.read", "api.read api.write"], "no silent upgrade");
    const wider = await read(postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: credential, scope: "api.write" }));
    assert.equal(wider.body.error, "invalid_scope");
    assert.equal((await postern.get("/api/v1/auth/me", bearer(credential))).status, 200);
  });

  test("is refused in the order claimed, expired, no code, code over, code wrong; the same for tokens of nobody (edge 71, C12, C13)", async () => {
    const { claim_token, registration_id, credential } = await registerKey(postern);
    const email = someone();
    await refusedAgent(submit(`${claim_token.slice(0, -1)}${claim_token.endsWith("0") ? "1" : "0"}`, "123456"), 401, "invalid_claim_token");
    await refusedAgent(submit((await register(postern)).claim_token, "123456"), 401, "invalid_claim_token", "a token of the newer dialect");
    await refusedAgent(submit(claim_token, "123456"), 400, "otp_not_generated", "no attempt yet");
    await ok(claim(claim_token, email));
    await refusedAgent(submit(claim_token, "123456"), 400, "otp_not_generated");
    const otp = await reveal(await new Browser(postern).open(await linkTo(email)));
    await refusedAgent(submit(claim_token, wrong(otp)), 401, "otp_invalid");
    for (const code of [Number(otp), "12345", "", null, `${otp}0`]) await refusedAgent(submit(claim_token, code), 400, "invalid_request");
    const done = await ok(submit(claim_token, otp));
    await refusedAgent(submit(claim_token, wrong(otp)), 409, "previously_claimed");
    await refusedAgent(claim(claim_token, email), 409, "claimed_or_in_flight");
    await operator(postern, "registrations/revoke", { registration_id });
    await refusedAgent(submit(claim_token, wrong(otp)), 409, "previously_claimed", "claimed comes before revoked");
    for (const key of [credential, done.credential]) assert.equal(await call(postern.issuer, key), 401);
  });
});
