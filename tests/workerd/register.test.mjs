// Registration in all dialects: what is given, and what is refused in which words.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createLocalJWKSet, jwtVerify } from "jose";
import { call, exchange, keyToken, register, registerKey } from "./support/agent.mjs";
import { deploy } from "./support/postern.mjs";
import { ID_JAG, NO_MAIL, answered, having, members, refused } from "./support/registration.mjs";

const V01 = { type: "anonymous", requested_credential_type: "api_key" };
const FLAT = ["assertion_expires", "identity_assertion", "post_claim_scopes", "pre_claim_scopes", "registration_id", "registration_type"];
const NESTED = ["id", "identity", "scopes", "type"];
const HANDLES = ["claim_token", "claim_token_expires", "claim_url"];
const V01_MEMBERS = ["credential", "credential_expires", "credential_type", "post_claim_scopes", "pre_claim_scopes", "registration_id", "registration_type", "scopes"];
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const secondsUntil = (iso) => (Date.parse(iso) - Date.now()) / 1000;

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

describe("POST /agent/identity", () => {
  test("answers flat and nested alike, with the handles of a claim and no attempt at one", async () => {
    const body = await answered(await postern.json("/agent/identity", { type: "anonymous" }), 200);
    members(body, FLAT, NESTED, HANDLES, "claim", "registration_expires");
    assert.match(body.claim_token, /^clm_[0-9A-Za-z]{33}_[0-9A-Za-z]{49}$/);
    assert.equal(body.claim_url, `${postern.issuer}/agent/identity/claim`);
    assert.equal(body.claim_token_expires, body.registration_expires);
    assert.deepEqual(body.claim, { token: body.claim_token, url: body.claim_url, expires_at: body.claim_token_expires });
    assert.match(body.registration_id, /^reg_[0-9A-Za-z]{22}$/);
    assert.equal(body.id, body.registration_id);
    assert.deepEqual([body.type, body.registration_type], ["anonymous", "anonymous"]);
    assert.deepEqual(body.identity, { assertion: body.identity_assertion, expires_at: body.assertion_expires });
    assert.deepEqual(body.scopes, { pre_claim: body.pre_claim_scopes, post_claim: body.post_claim_scopes });
    assert.deepEqual([body.pre_claim_scopes, body.post_claim_scopes], [["api.read"], ["api.read", "api.write"]]);
    for (const iso of [body.assertion_expires, body.registration_expires]) assert.match(iso, ISO);
    assert.ok(Math.abs(secondsUntil(body.assertion_expires) - 3600) < 10);
    assert.ok(Math.abs(secondsUntil(body.registration_expires) - 86400) < 10);
  });

  test("gives an assertion that the published keys verify, that is no access token, and that lives as long as it says", async () => {
    const { identity_assertion, assertion_expires, registration_id } = await register(postern);
    const jwks = createLocalJWKSet(await (await postern.get("/.well-known/jwks.json")).json());
    const { payload, protectedHeader } = await jwtVerify(identity_assertion, jwks, { issuer: postern.issuer, audience: postern.issuer, typ: "agent-identity+jwt", algorithms: ["ES256"] });
    assert.deepEqual([payload.sub, payload.exp], [registration_id, Date.parse(assertion_expires) / 1000]);
    assert.ok(protectedHeader.kid && payload.jti);
    assert.equal(await call(postern.issuer, identity_assertion), 401);
  });

  for (const [dialect, names] of [["0.7", [...FLAT, ...HANDLES]], ["authkit", [...NESTED, "claim"]]])
    test(`answers with the fields of ${dialect} alone where that is the only dialect`, () =>
      having({ AUTH_MD_DIALECTS: dialect }, async (one) => {
        const body = await register(one);
        members(body, names, "registration_expires");
        if (body.claim) members(body.claim, "expires_at", "token", "url");
        await exchange(one, body.identity_assertion ?? body.identity.assertion);
        for (const path of ["/agent/auth", "/api/agent/auth"]) {
          const { hint } = await refused(await one.json(path, V01), 404, "not_found");
          assert.match(hint, /identity_endpoint/);
          assert.match(hint, /\/agent\/identity/);
        }
      }));

  test("answers with nothing of a claim where nobody can be asked, and the same is true of /agent/auth", () =>
    having(NO_MAIL, async (one) => {
      const body = await register(one);
      members(body, FLAT, NESTED, "registration_expires");
      members(await registerKey(one), V01_MEMBERS);
      await exchange(one, body.identity_assertion);
    }));

  test("answers service_auth flat and nested alike, with an attempt and without an assertion", async () => {
    const body = await answered(await postern.json("/agent/identity", { type: "service_auth", login_hint: "ada.flat@example.com" }), 200);
    members(body, HANDLES, "claim", "id", "post_claim_scopes", "registration_expires", "registration_id", "registration_type", "scopes", "type");
    assert.deepEqual([body.type, body.registration_type, body.id], ["service_auth", "service_auth", body.registration_id]);
    assert.deepEqual([body.post_claim_scopes, body.scopes], [["api.read", "api.write"], { post_claim: ["api.read", "api.write"] }]);
    const { user_code, verification_uri, interval, expires_in, attempt, ...handles } = body.claim;
    assert.deepEqual(handles, { token: body.claim_token, url: body.claim_url, expires_at: body.claim_token_expires });
    assert.match(user_code, /^\d{6}$/);
    assert.equal(interval, 5);
    assert.ok(expires_in > 590 && expires_in <= 600, `${expires_in}`);
    members(attempt, "expires_at", "verification_uri");
    assert.equal(attempt.verification_uri, verification_uri);
    assert.ok(verification_uri.startsWith(`${postern.issuer}/login?return_to=%2Fclaim%3F`) && !verification_uri.includes(user_code));
    assert.ok(Math.abs(secondsUntil(attempt.expires_at) - 600) < 10);
  });
});

describe("POST /agent/auth", () => {
  for (const path of ["/agent/auth", "/api/agent/auth"])
    test(`at ${path} answers with an API key, shown once and good at once`, async () => {
      const body = await answered(await postern.json(path, { ...V01, email: "ada@example.com", agent: "claude-code" }), 200);
      members(body, V01_MEMBERS, HANDLES);
      assert.match(body.claim_token, /^clm_[0-9A-Za-z]{33}_[0-9A-Za-z]{49}$/);
      assert.equal(body.claim_url, `${postern.issuer}/agent/auth/claim`);
      assert.equal(body.claim_token_expires, body.credential_expires, "both end with the registration");
      assert.deepEqual([body.pre_claim_scopes, body.post_claim_scopes], [["api.read"], ["api.read", "api.write"]]);
      assert.deepEqual([body.credential_type, body.registration_type, body.scopes], ["api_key", "anonymous", ["api.read"]]);
      assert.match(body.credential, /^postern_[0-9A-Za-z]{33}_[0-9A-Za-z]{49}$/);
      assert.match(body.credential_expires, ISO);
      assert.ok(Math.abs(secondsUntil(body.credential_expires) - 86400) < 10, "an unclaimed key dies with its registration");
      assert.equal(await call(postern.issuer, body.credential), 200);
      assert.equal((await keyToken(postern, body.credential)).scope, "api.read");
    });

  test("gives the pre-claim scopes and no more: what needs another is 403 and names it", async () => {
    const strict = await deploy({ vars: { READ_SCOPE: "api.write" }, persist: false });
    try {
      const { credential } = await registerKey(strict);
      const answer = await strict.get("/api/v1/auth/me", { authorization: `Bearer ${credential}` });
      assert.equal(answer.status, 403);
      assert.match(answer.headers.get("www-authenticate"), /^Bearer error="insufficient_scope", .*scope="api\.write"/);
      assert.equal((await answer.json()).error, "insufficient_scope");
      const wider = await strict.form("/oauth2/token", { grant_type: "client_credentials", client_secret: credential, scope: "api.read api.write" });
      assert.deepEqual([wider.status, (await wider.json()).error], [400, "invalid_scope"]);
    } finally {
      await strict.stop();
    }
  });

  test("says the end of a key that ends before its registration", async () => {
    const brief = await deploy({ vars: { API_KEY_TTL: "600" }, persist: false });
    try {
      assert.ok(Math.abs(secondsUntil((await registerKey(brief)).credential_expires) - 600) < 10);
    } finally {
      await brief.stop();
    }
  });

  test("makes nothing of an e-mail address: two agents that name the same are two", async () => {
    const [one, other] = [await registerKey(postern, {}, { email: "ada@example.com" }), await registerKey(postern, {}, { email: "ada@example.com" })];
    assert.notEqual(one.registration_id, other.registration_id);
    assert.deepEqual(Object.keys(one), Object.keys(other));
    assert.ok(!JSON.stringify([one, other]).includes("ada@"));
  });

  for (const email of ["ada@example.com", "Ada.Lovelace@EXAMPLE.com", "ada+agents@example.com", " ada@example.com ", "ada@bücher.example"])
    test(`accepts the address ${JSON.stringify(email)}`, async () => void (await registerKey(postern, {}, { email })));
  for (const email of ["", "nobody", "@example.com", "ada@", "ada@localhost", "a da@example.com", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\n", "ada@exa\u0000mple.com", "Ada <ada@example.com>", `${"a".repeat(320)}@example.com`, `ada@${"a.".repeat(160)}example`, "ada@[127.0.0.1]", "ada\u202E@example.com", "ada@exa\u200Bmple.com", "+15551234567", 42, true, ["ada@example.com"], {}])
    test(`refuses the address ${JSON.stringify(email).slice(0, 60)} as invalid_email`, async () => void (await refused(await postern.json("/agent/auth", { ...V01, email }), 400, "invalid_email")));
  for (const email of ["ada@mailinator.com", "ada@MAILINATOR.com", "ada@inbox.mailinator.com", "ada@guerrillamail.com", "ada@yopmail.com"])
    test(`refuses the throw-away address ${email}`, async () => void (await refused(await postern.json("/agent/auth", { ...V01, email }), 400, "disposable_email")));
  for (const agent of ["x".repeat(10_000), 42, null, "\u202Ecod-edualc\u0000"])
    test(`takes any word for a name: ${JSON.stringify(agent).slice(0, 20)}`, async () => void (await registerKey(postern, {}, { agent })));

  for (const [type, code] of [["access_token", "unsupported_credential_type"], ["garbage", "invalid_request"], [undefined, "invalid_request"], [null, "invalid_request"], [["api_key"], "invalid_request"], ["API_KEY", "invalid_request"]])
    test(`refuses requested_credential_type ${JSON.stringify(type)} as ${code}`, async () => void (await refused(await postern.json("/agent/auth", { type: "anonymous", requested_credential_type: type }), 400, code)));
});

describe("both paths", () => {
  const PATHS = ["/agent/identity", "/agent/auth"];
  const BODY = JSON.stringify(V01);
  const within = (rest) => `{"type":"anonymous","requested_credential_type":"api_key",${rest}}`;
  const MALFORMED = {
    nothing: "",
    "half an object": '{"type":"anonymous"',
    "an array": `[${BODY}]`,
    null: "null",
    "a string": '"anonymous"',
    "a number": "42",
    "two objects": BODY + BODY,
    "a form": "type=anonymous",
    "a repeated key": within('"type":"anonymous"'),
    "60,000 levels of brackets where a word should be": within(`"agent":${"[".repeat(30_000)}${"]".repeat(30_000)}`),
    "10,000 levels of objects, never closed": within(`"x":${'{"x":'.repeat(10_000)}`),
    "broken UTF-8": Buffer.concat([Buffer.from(BODY.slice(0, -1)), Buffer.from(',"x":"'), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from('"}')]),
    "a NUL byte": `${BODY}\u0000`,
    "a byte order mark": `\uFEFF${BODY}`,
    "half a surrogate pair for a type": String.raw`{"type":"\ud800"}`,
    "no type": '{"requested_credential_type":"api_key"}',
    "a type of null": '{"type":null}',
    "a type of the wrong type": '{"type":["anonymous"]}',
    "an assertion without its type": '{"type":"identity_assertion","assertion":"x.y.z"}',
    "an assertion of an unknown type": '{"type":"identity_assertion","assertion_type":"urn:ietf:params:oauth:token-type:jwt","assertion":"x.y.z"}',
    "an assertion type of another case": `{"type":"identity_assertion","assertion_type":"${ID_JAG.toUpperCase()}","assertion":"x.y.z"}`,
    "an unknown type": '{"type":"robot"}',
    "an upper-case type": '{"type":"ANONYMOUS"}',
    "a type with a NUL in it": String.raw`{"type":"anonymous\u0000"}`,
    "type and identity_type that differ": '{"type":"anonymous","identity_type":"service_auth"}',
  };
  for (const path of PATHS) {
    for (const [what, body] of Object.entries(MALFORMED)) test(`refuse ${what} with 400: ${path}`, async () => void (await refused(await postern.json(path, body), 400, "invalid_request")));
    test(`refuse other media types with 415: ${path}`, async () => {
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/secevent+jwt", "text/json", "multipart/form-data", "json"])
        await refused(await postern.json(path, BODY, { "content-type": type }), 415, "unsupported_media_type");
      const none = await fetch(postern.issuer + path, { method: "POST", body: Buffer.from(BODY) });
      await refused(none, 415, "unsupported_media_type");
    });
    test(`take JSON by any of its names: ${path}`, async () => {
      for (const type of ["application/json", "application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", 'application/json; charset="utf-8"'])
        await answered(await postern.json(path, BODY, { "content-type": type }), 200);
    });
    test(`take identity_type for type, both when they agree, and ignore what they do not know: ${path}`, async () => {
      for (const extra of [{ type: undefined, identity_type: "anonymous" }, { identity_type: "anonymous" }, { nobody: { knows: [null, 1.5e300] }, "": "" }])
        await answered(await postern.json(path, { ...V01, ...extra }), 200);
    });
    test(`take 64 KiB and refuse a byte more with 413, and 1 MB, and 100,000 levels: ${path}`, async () => {
      await answered(await postern.json(path, BODY.padEnd(64 * 1024)), 200);
      // The answer may come, and the connection end, before all is written: some clients then see only that, so it is tried again.
      const told = async (body, tries = 5) => postern.json(path, body).catch((error) => (tries > 1 ? told(body, tries - 1) : Promise.reject(error)));
      for (const body of [BODY.padEnd(64 * 1024 + 1), BODY.padEnd(1024 * 1024), "[".repeat(100_000)]) await refused(await told(body), 413, "content_too_large");
    });
    test(`say that no issuer is enabled while none is trusted: ${path}`, async () => {
      for (const assertion of ["x.y.z", "", 42, null, undefined])
        await refused(await postern.json(path, { ...V01, type: "identity_assertion", assertion_type: ID_JAG, assertion }), 400, "issuer_not_enabled");
    });
    test(`are asked by POST alone: ${path}`, async () => {
      for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
        const answer = await fetch(postern.issuer + path, { method });
        assert.equal(answer.headers.get("allow"), "POST, OPTIONS");
        await refused(answer, 405, "method_not_allowed");
      }
    });
  }
});
