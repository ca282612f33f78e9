// Registration where there are people: what each kind is told of its claim, in both newer dialects at once.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { register, registerKey, sleep } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { onBehalf, refusedAgent, someone } from "./support/ceremony.mjs";
import { page, poll, start } from "./support/claim.mjs";
import { Browser, mails } from "./support/person.mjs";
import { address, deploy } from "./support/postern.mjs";
import { vouched, voucher } from "./support/voucher.mjs";
import { send } from "./support/wire.mjs";

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const FLAT = ["registration_id", "registration_type", "identity_assertion", "assertion_expires", "claim_url", "claim_token", "claim_token_expires", "pre_claim_scopes", "post_claim_scopes"];
const POST = ["api.read", "api.write"];
const seconds = (iso) => (Date.parse(iso) - Date.now()) / 1000;

let postern, provider;
before(async () => {
  provider = await voucher();
  postern = await deploy({ vars: { TRUSTED_PROVIDERS: JSON.stringify([provider.entry]) } });
});
after(async () => {
  await postern.stop();
  await provider.stop();
});

const identity = (body, headers = {}) => read(postern.json("/agent/identity", body, headers));
const named = (login_hint, headers) => identity({ type: "service_auth", login_hint }, headers);

/** Flat and nested say the same, and only what this kind is told. */
function golden({ body, headers, text }, kind, flat, nested) {
  assert.equal(headers.get("cache-control"), "no-store", text);
  assert.deepEqual(FLAT.filter((name) => name in body).toSorted(), flat.toSorted(), text);
  assert.match(body.registration_id, /^reg_[0-9A-Za-z]{22}$/);
  assert.deepEqual([body.id, body.type, body.registration_type], [body.registration_id, kind, kind]);
  assert.deepEqual(Object.keys(body).filter((name) => ["identity", "claim", "scopes"].includes(name)).toSorted(), nested.toSorted());
  if (body.identity) assert.deepEqual(body.identity, { assertion: body.identity_assertion, expires_at: body.assertion_expires });
  if (body.claim) {
    assert.deepEqual([body.claim.token, body.claim.url, body.claim.expires_at], [body.claim_token, body.claim_url, body.claim_token_expires]);
    assert.match(body.claim_token, /^clm_/);
    assert.match(body.claim_token_expires, ISO);
    assert.ok(Math.abs(seconds(body.claim_token_expires) - 86400) < 30);
  }
}

/** An attempt in the words of both dialects. */
function attempted({ claim }) {
  assert.match(claim.user_code, /^\d{6}$/);
  assert.deepEqual([typeof claim.expires_in, claim.interval], ["number", 5], "C21: expires_in is always a number");
  assert.ok(Math.abs(claim.expires_in - 600) < 5);
  assert.deepEqual(Object.keys(claim.attempt).toSorted(), ["expires_at", "verification_uri"]);
  assert.equal(claim.attempt.verification_uri, claim.verification_uri);
  assert.ok(Math.abs(seconds(claim.attempt.expires_at) - 600) < 10);
  assert.match(page(claim.verification_uri), /^\/claim\?claim_attempt_token=cvt_[0-9A-Za-z_]+$/);
  assert.ok(claim.verification_uri.startsWith(`${postern.issuer}/login?return_to=`));
  assert.ok(!claim.verification_uri.includes(claim.user_code), "the address never has the code in it");
}

describe("an answer has the words of both dialects", () => {
  test("for anonymous: with an identity, scopes, and a claim without attempt or code (8, 10)", async () => {
    const answer = await identity({ type: "anonymous" });
    golden(answer, "anonymous", FLAT, ["identity", "claim", "scopes"]);
    assert.deepEqual(answer.body.scopes, { pre_claim: answer.body.pre_claim_scopes, post_claim: answer.body.post_claim_scopes });
    assert.deepEqual([answer.body.pre_claim_scopes, answer.body.post_claim_scopes], [["api.read"], POST]);
    assert.deepEqual(Object.keys(answer.body.claim).toSorted(), ["expires_at", "token", "url"]);
    assert.doesNotMatch(answer.text, /user_code|attempt|verification_uri|refresh/);
  });

  test("for service_auth: with a claim and its attempt, and with no assertion in either shape (8, 9)", async () => {
    const answer = await named(someone());
    golden(answer, "service_auth", ["registration_id", "registration_type", "claim_url", "claim_token", "claim_token_expires", "post_claim_scopes"], ["claim", "scopes"]);
    assert.deepEqual([answer.body.scopes, answer.body.post_claim_scopes], [{ post_claim: POST }, POST]);
    attempted(answer.body);
    assert.doesNotMatch(answer.text, /assertion|access_token|eyJ|refresh/);
  });

  test("for an ID-JAG of somebody new: with an identity and its scopes, and with no claim (8)", async () => {
    const answer = await identity(vouched(await provider.vouch(postern.issuer, "golden-new", someone())));
    assert.equal(answer.status, 200, answer.text);
    golden(answer, "identity_assertion", ["registration_id", "registration_type", "identity_assertion", "assertion_expires"], ["identity", "scopes"]);
    assert.deepEqual(answer.body.scopes, POST);
    assert.doesNotMatch(answer.text, /claim|refresh/);
  });

  test("for an ID-JAG that meets an account: a 401 with AgentAuth challenge, a claim and its attempt (8, C22)", async () => {
    const email = someone();
    await new Browser(postern).signIn(email);
    const answer = await identity(vouched(await provider.vouch(postern.issuer, "golden-known", email)));
    assert.deepEqual([answer.status, answer.body.error], [401, "interaction_required"], answer.text);
    golden(answer, "identity_assertion", ["registration_id", "registration_type", "claim_url", "claim_token", "claim_token_expires", "post_claim_scopes"], ["claim", "scopes"]);
    assert.deepEqual(answer.body.scopes, { post_claim: POST });
    attempted(answer.body);
    assert.equal(answer.body.message, answer.body.error_description);
    assert.match(answer.headers.get("www-authenticate"), /^AgentAuth error="interaction_required", error_description="[^"]+"$/);
    assert.doesNotMatch(answer.text, /eyJ/);
    const api = await postern.get("/api/v1/auth/me", { authorization: `Bearer ${answer.body.claim_token}` });
    assert.match(api.headers.get("www-authenticate"), /^Bearer /, "C22: the API speaks of Bearer alone");
  });
});

describe("a login_hint", () => {
  test("is trimmed and answers to its lower case (11)", async () => {
    const email = someone("Grace");
    const { body } = await named(`   ${email}  `);
    const person = await new Browser(postern).signIn(email.toLowerCase(), body.claim.verification_uri);
    assert.match(person.html, /name="user_code"/, person.html);
  });

  const BAD = {
    phone: "+15551234567", empty: "", spaces: "   ", long: `${"a".repeat(290)}@example.com`, "long domain": `a@${"b".repeat(290)}.example`, "line breaks": "ada@example.com\r\nBcc: eve@example.com", "a line break before": "\r\nada@example.com", tab: "ada\t@example.com",
    nul: "ada\0@example.com", "two addresses": "ada@example.com,eve@example.com", name: "Ada <ada@example.com>", "no dot": "ada@localhost", literal: "ada@[127.0.0.1]", number: 7, null: null, array: ["ada@example.com"], object: { email: "ada@example.com" }, true: true, "direction mark": "ada\u202e@example.com", "line separator": "ada@example.com\u2028x", disposable: "ada@mailinator.com",
  };
  for (const [what, login_hint] of Object.entries(BAD))
    test(`that is ${what} is invalid_login_hint (11)`, async () => {
      await refusedAgent(postern.json("/agent/identity", { type: "service_auth", login_hint }), 400, "invalid_login_hint");
      const { claim_token } = await register(postern);
      const got = await start(postern, { type: "login_hint", claim_token, login_hint });
      assert.deepEqual([got.status, got.body.error], [400, login_hint === null ? "invalid_request" : "invalid_login_hint"], got.text);
    });

  test("that looks like another's is another's: no letter is folded into an ASCII one", async () => {
    const email = someone("paypal");
    for (const alike of [email.replace("a", "\u0430"), email.replace("l", "\uff4c"), email.replace("e", "\u0435"), email.replace("@example", "@ex\u0430mple")]) {
      const { status, body } = await named(alike);
      if (status === 400) continue;
      const person = await new Browser(postern).signIn(email, body.claim.verification_uri);
      assert.equal(person.status, 403, alike);
      assert.doesNotMatch(person.html, /name="user_code"/);
    }
  });
});

describe("the older spelling verified_email", () => {
  test("is service_auth at the newer path (12)", async () => {
    const answer = await identity({ type: "identity_assertion", assertion_type: "verified_email", assertion: someone() });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.body.registration_type, "service_auth");
    attempted(answer.body);
    await refusedAgent(postern.json("/agent/identity", { type: "identity_assertion", assertion_type: "verified_email", assertion: "nobody" }), 400, "invalid_login_hint");
  });

  test("is refused by the same name where service_auth is off, and anonymous by its own (12, 13)", async () => {
    const off = await deploy({ vars: { IDENTITY_TYPES: "none" }, persist: false });
    try {
      for (const body of [{ type: "service_auth", login_hint: someone() }, { type: "identity_assertion", assertion_type: "verified_email", assertion: someone() }])
        await refusedAgent(off.json("/agent/identity", body), 400, "service_auth_not_enabled");
      await refusedAgent(off.json("/agent/identity", { type: "anonymous" }), 400, "anonymous_not_enabled");
    } finally {
      await off.stop();
    }
  });
});

test("type and identity_type may not differ, refusals are JSON that nobody keeps, and malformed JSON is 400 (14, 15, 1.12 item 8)", async () => {
  const json = { "content-type": "application/json" };
  const cases = [
    [400, "invalid_request", '{"type":', json],
    [400, "invalid_request", "", json],
    [400, "invalid_request", '{"type":"service_auth","identity_type":"anonymous"}', json],
    [400, "invalid_request", '{"type":"service_auth","type":"anonymous"}', json],
    [400, "invalid_request", '{"type":"SERVICE_AUTH"}', json],
    [413, "content_too_large", `{"type":"service_auth","login_hint":"${"a".repeat(65 * 1024)}"}`, json],
    [415, "unsupported_media_type", "type=service_auth&login_hint=ada%40example.com", { "content-type": "application/x-www-form-urlencoded" }],
  ];
  for (const path of ["/agent/identity", "/agent/auth"])
    for (const [status, error, body, headers] of cases) {
      const sent = await send(postern, path, { method: "POST", headers: { ...headers, "cf-connecting-ip": address(), "content-length": String(Buffer.byteLength(body)) }, body });
      await refusedAgent(new Response(sent.body, sent), status, error, `${path} ${body.slice(0, 60)}`);
    }
});

test("the aud of an ID-JAG is one string: our issuer or a resource of ours, with or without one slash (C14, 1.12 item 6)", async () => {
  const aud = (value) => provider.vouch(postern.issuer, `aud-${JSON.stringify(value)}`, someone(), { aud: value });
  for (const good of ["", "/", "/mcp", "/mcp/", "/api/v1", "/api/v1/"]) {
    const { status, text } = await identity(vouched(await aud(postern.issuer + good)));
    assert.equal(status, 200, `${good} ${text}`);
  }
  for (const bad of [`${postern.issuer}//`, `${postern.issuer}/other`, [postern.issuer], [postern.issuer, "https://other.example"], [], "", "https://other.example", postern.issuer.toUpperCase(), `${postern.issuer}/mcp/mcp`, `${postern.issuer}?`, null, 1])
    await refusedAgent(postern.json("/agent/identity", vouched(await aud(bad))), 400, "invalid_audience", JSON.stringify(bad));
});

test("the limit of registrations that name a person is 60 an hour, and its refusal is JSON with a time to wait (14)", async () => {
  const ip = { "cf-connecting-ip": address() };
  const answers = await Promise.all(Array.from({ length: 61 }, () => named(someone("crowd"), ip)));
  const refused = answers.filter(({ status }) => status !== 200);
  assert.equal(refused.length, 1);
  await refusedAgent(named(someone("crowd"), ip).then(({ status, text, headers }) => new Response(text, { status, headers })), 429, "rate_limited");
});

test("ten sign-ups for one person from one place leave three registrations alive, the newest (16, C23)", async () => {
  const [email, ip] = [someone(), { "cf-connecting-ip": address() }];
  const elsewhere = await onBehalf(postern, email);
  const all = [];
  for (let time = 0; time < 10; time += 1) all.push(await onBehalf(postern, email, ip));
  const states = await Promise.all(all.map(({ claim_token }) => poll(postern, claim_token)));
  assert.deepEqual(states.map(({ body }) => body.error), [...Array(7).fill("expired_token"), ...Array(3).fill("authorization_pending")]);
  assert.equal((await poll(postern, elsewhere.claim_token)).body.error, "authorization_pending", "another network's is left alone");
  const gone = await start(postern, { type: "login_hint", claim_token: all[0].claim_token, login_hint: email });
  assert.deepEqual([gone.status, gone.body.error], [410, "claim_expired"]);
});

test("forty sign-ups for one person at once leave three alive as well (16, C23)", async () => {
  const [email, ip] = [someone(), { "cf-connecting-ip": address() }];
  const all = await Promise.all(Array.from({ length: 40 }, () => onBehalf(postern, email, ip)));
  const states = await Promise.all(all.map(({ claim_token }) => poll(postern, claim_token)));
  assert.equal(states.filter(({ body }) => body.error === "authorization_pending").length, 3);
  assert.equal(states.filter(({ body }) => body.error === "expired_token").length, 37);
});

test("what is claimed is never superseded by later sign-ups (16, C23)", async () => {
  const [email, ip] = [someone(), { "cf-connecting-ip": address() }];
  const first = await onBehalf(postern, email, ip);
  const person = await new Browser(postern).signIn(email, first.verification_uri);
  await person.submit("/agent/identity/claim/complete", { user_code: first.user_code });
  for (let time = 0; time < 4; time += 1) await onBehalf(postern, email, ip);
  const got = await poll(postern, first.claim_token);
  assert.equal(got.status, 200, got.text);
});

test("a repeated sign-up with an Idempotency-Key says the same and mails nobody", async () => {
  const [email, ip] = [someone(), address()];
  const headers = { "cf-connecting-ip": ip, "idempotency-key": `a-key-that-nobody-guesses-${ip}` };
  const one = await named(email, headers);
  await sleep(20);
  const two = await named(email, headers);
  const [first, second] = [one, two].map(({ body: { claim: { expires_in, ...claim }, ...rest } }) => ({ expires_in, rest: { claim, ...rest } }));
  assert.deepEqual(second.rest, first.rest);
  assert.ok(second.expires_in <= first.expires_in);
  assert.equal((await mails(postern, email)).length, 0);
});

test("an e-mail address at anonymous sign-up of v0.1 is a contact and nothing more: pre-claim scopes, claim handles, nobody's agent (C19, 76)", async () => {
  const email = someone("victim");
  const victim = await new Browser(postern).signIn(email);
  const [known, unknown] = [await registerKey(postern, {}, { email }), await registerKey(postern, {}, { email: someone("nobody") })];
  assert.deepEqual(Object.keys(known).toSorted(), Object.keys(unknown).toSorted(), "no oracle");
  const { credential } = known;
  assert.deepEqual(known.scopes, ["api.read"]);
  assert.ok(known.claim_token && known.claim_url.endsWith("/agent/auth/claim"));
  const me = await ok(postern.get("/api/v1/auth/me", { authorization: `Bearer ${credential}` }));
  assert.doesNotMatch(JSON.stringify(me), /api\.write/);
  await victim.open("/account");
  assert.ok(!victim.html.includes(known.registration_id), "the account does not list it");
  assert.equal((await mails(postern, email)).length, 1, "only the sign-in was mailed");
});
