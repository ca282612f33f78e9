// Every error that auth.md explains is met here, with the status and at the address that it says; and no other is.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { JWT_BEARER, exchange, register, registerKey } from "./support/agent.mjs";
import { bearer, read } from "./support/answers.mjs";
import { CLAIM } from "./support/claim.mjs";
import { es256, jws, stranger } from "./support/forge.mjs";
import { Browser, codeOn, newestMail } from "./support/person.mjs";
import { OPERATOR_KEY, address, deploy, freePort } from "./support/postern.mjs";

const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";
const REVOKED = "https://schemas.workos.com/events/agent/auth/identity/assertion/revoked";
const V01 = { type: "anonymous", requested_credential_type: "api_key" };
const keys = stranger();
const now = () => Math.floor(Date.now() / 1000);

let postern, off, strict, provider, gone, server;
before(async () => {
  const key = { ...keys.publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "ES256" };
  server = createServer((_, response) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys: [key] })));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  provider = `http://127.0.0.1:${server.address().port}`;
  const entry = (issuer, more = {}) => ({ issuer, name: "Example Provider", ...more });
  const TRUSTED_PROVIDERS = JSON.stringify([
    entry(provider),
    entry(`${provider}/careful`, { jwks_uri: `${provider}/.well-known/jwks.json`, required_amr: ["mfa"] }),
    entry(`http://127.0.0.1:${await freePort()}`),
  ]);
  [postern, off, strict] = await Promise.all([
    deploy({ vars: { TRUSTED_PROVIDERS } }),
    deploy({ vars: { IDENTITY_TYPES: "none" }, persist: false }),
    deploy({ vars: { READ_SCOPE: "api.write" }, persist: false }),
  ]);
  gone = JSON.parse(TRUSTED_PROVIDERS)[2].issuer;
});
after(async () => {
  server?.closeAllConnections();
  server?.close();
  await Promise.all([postern, off, strict].map((one) => one?.stop()));
});

const identity = (body, headers) => postern.json("/agent/identity", body, headers);
const token = (fields) => postern.form("/oauth2/token", fields);
const seal = (claims, header = {}) => jws({ alg: "ES256", kid: "one", ...header }, claims, es256(keys.privateKey));

/** An ID-JAG of a newcomer, but for these changes. */
function idJag(changes = {}, header = {}) {
  const id = randomUUID();
  const claims = { iss: provider, aud: postern.issuer, client_id: changes.iss ?? provider, sub: id, jti: id, iat: now(), exp: now() + 300, auth_time: now(), email: `${id}@example.com`, email_verified: true };
  return seal({ ...claims, ...changes }, { typ: "oauth-id-jag+jwt", ...header });
}
const vouched = (changes, header) => identity({ type: "identity_assertion", assertion_type: ID_JAG, assertion: idJag(changes, header) });

/** A security event, but for these changes. */
function event(changes = {}, header = {}) {
  const claims = { iss: provider, aud: postern.issuer, sub: randomUUID(), jti: randomUUID(), iat: now(), events: { [REVOKED]: {} }, ...changes };
  const headers = { "content-type": "application/secevent+jwt" };
  return fetch(`${postern.issuer}/agent/event/notify`, { method: "POST", headers, body: seal(claims, { typ: "secevent+jwt", ...header }) });
}

/** An agent that has asked its person. */
async function asking(email, type = "login_hint") {
  const { claim_token, registration_id, identity_assertion } = await register(postern);
  const claim = () => postern.json("/agent/identity/claim", { type, claim_token, login_hint: email });
  const { body } = await read(claim());
  const complete = (user_code) => postern.json("/agent/identity/claim/complete", { claim_token, user_code });
  const person = async () => new Browser(postern).signIn(email, body.claim_attempt.verification_uri);
  const again = (type) => postern.json("/agent/identity/claim", { type, claim_token, login_hint: email });
  const poll = () => token({ grant_type: CLAIM, claim_token });
  return { claim_token, registration_id, identity_assertion, code: body.claim_attempt.user_code, complete, person, again, poll };
}

/** One that its person has said this to: the code that is shown, or nothing. */
async function answered(action, type) {
  const agent = await asking(`${randomUUID()}@example.com`, type);
  const person = await agent.person();
  await person.submit(action, agent.code && action !== "/claim/deny" ? { user_code: agent.code } : {});
  return { ...agent, shown: codeOn(person.html) };
}
const other = (code) => String((Number(code) + 1) % 1_000_000).padStart(6, "0");

async function revoked() {
  const agent = await asking(`${randomUUID()}@example.com`);
  const ended = await postern.json("/operator/registrations/revoke", { registration_id: agent.registration_id }, bearer(OPERATOR_KEY));
  assert.equal(ended.status, 200);
  return agent;
}

/** The same in auth.md v0.1, at the page of the mailed link. */
async function mailed() {
  const [{ claim_token }, email] = [await registerKey(postern), `${randomUUID()}@example.com`];
  await postern.json("/agent/auth/claim", { claim_token, email });
  const [link] = (await newestMail(postern, email)).links;
  const page = new URL(link).searchParams.get("claim_attempt_token");
  const complete = (otp) => postern.json("/agent/auth/claim/complete", { claim_token, otp });
  const reveal = async () => codeOn((await (await new Browser(postern).open(link)).submit("/claim/code")).html);
  const challenge = () => postern.json("/agent/auth/claim/attempt/challenge", { claim_attempt_token: page });
  return { complete, reveal, challenge };
}

async function repeated(count, ask) {
  for (let time = 0; time < count; time += 1) await (await ask()).text();
  return ask();
}

/** Code → how it is met. */
const MET = {
  invalid_request: () => identity("{"),
  invalid_client: () => token({ grant_type: "client_credentials", client_secret: "x" }),
  invalid_grant: () => token({ grant_type: JWT_BEARER, assertion: "x" }),
  invalid_scope: async () => token({ grant_type: "client_credentials", client_secret: (await registerKey(postern)).credential, scope: "api.write" }),
  unsupported_grant_type: () => token({ grant_type: "password" }),
  invalid_target: async () => token({ grant_type: "client_credentials", client_secret: (await registerKey(postern)).credential, resource: "https://other.example" }),
  access_denied: async () => (await answered("/claim/deny")).poll(),
  authorization_pending: async () => (await asking("ada.waits@example.com")).poll(),
  slow_down: async () => repeated(1, (await asking("ada.hurries@example.com")).poll),
  expired_token: () => token({ grant_type: CLAIM, claim_token: "x" }),
  unauthorized: () => postern.get("/api/v1/auth/me"),
  invalid_token: () => postern.get("/api/v1/auth/me", bearer("x")),
  insufficient_scope: async () => strict.get("/api/v1/auth/me", bearer((await exchange(strict, (await register(strict)).identity_assertion)).access_token)),
  anonymous_not_enabled: () => off.json("/agent/identity", { type: "anonymous" }),
  service_auth_not_enabled: () => off.json("/agent/identity", { type: "service_auth", login_hint: "ada@example.com" }),
  issuer_not_enabled: () => off.json("/agent/identity", { type: "identity_assertion", assertion_type: ID_JAG, assertion: idJag() }),
  invalid_issuer: () => vouched({ iss: "https://nobody.example" }),
  invalid_signature: () => vouched({}, { kid: "another" }),
  expired: () => vouched({ exp: now() - 600, iat: now() - 900 }),
  replay_detected: async () => {
    const assertion = idJag();
    return repeated(1, () => identity({ type: "identity_assertion", assertion_type: ID_JAG, assertion }));
  },
  invalid_audience: () => vouched({ aud: "https://other.example" }),
  invalid_client_id: () => vouched({ client_id: "other" }),
  missing_verified_email: () => vouched({ email_verified: "true" }),
  insufficient_user_authentication: () => vouched({ iss: `${provider}/careful`, amr: ["pwd"] }),
  login_required: () => vouched({ auth_time: now() - 4000 }),
  interaction_required: async () => {
    await new Browser(postern).signIn("ada.here@example.com");
    return vouched({ email: "ada.here@example.com" });
  },
  invalid_login_hint: () => identity({ type: "service_auth", login_hint: "nobody" }),
  invalid_claim_token: () => postern.json("/agent/identity/claim", { type: "login_hint", claim_token: "x", login_hint: "ada@example.com" }),
  invalid_claim: () => postern.json("/agent/identity/claim/complete", { claim_token: "x", user_code: "123456" }),
  claim_expired: async () => (await revoked()).again("login_hint"),
  claim_revoked: async () => (await revoked()).again("service_auth"),
  claimed_or_in_flight: async () => (await answered("/agent/identity/claim/complete")).again("login_hint"),
  ceremony_in_flight: async () => {
    const { claim_token } = await asking("ada.flies@example.com");
    return postern.json("/agent/identity/claim", { type: "identity_assertion", claim_token, assertion: idJag() });
  },
  already_claimed: async () => (await answered("/agent/identity/claim/complete")).again("service_auth"),
  claim_not_confirmed: async () => (await asking("ada.looks@example.com", "service_auth")).complete("123456"),
  invalid_user_code: async () => {
    const { shown, complete } = await answered("/claim/code", "service_auth");
    return complete(other(shown));
  },
  user_code_expired: async () => {
    const { shown, complete } = await answered("/claim/code", "service_auth");
    return repeated(5, () => complete(other(shown)));
  },
  claim_denied: async () => (await answered("/claim/deny", "service_auth")).complete("123456"),
  too_many_attempts: async () => {
    const { again } = await asking("ada.insists@example.com", "service_auth");
    return repeated(9, () => again("service_auth"));
  },
  invalid_refresh_token: () => identity({ type: "refresh", refresh_token: "x" }),
  otp_not_generated: async () => (await mailed()).complete("123456"),
  otp_invalid: async () => {
    const { reveal, complete } = await mailed();
    return complete(other(await reveal()));
  },
  otp_expired: async () => {
    const { reveal, complete } = await mailed();
    const wrong = other(await reveal());
    return repeated(5, () => complete(wrong));
  },
  previously_claimed: async () => {
    const { reveal, complete } = await mailed();
    const otp = await reveal();
    assert.equal((await complete(otp)).status, 200);
    return complete(other(otp));
  },
  claim_superseded: () => postern.json("/agent/auth/claim/attempt/challenge", { claim_attempt_token: "x" }),
  claim_completed: async () => {
    const { reveal, complete, challenge } = await mailed();
    await complete(await reveal());
    return challenge();
  },
  unsupported_credential_type: () => postern.json("/agent/auth", { ...V01, requested_credential_type: "access_token" }),
  invalid_email: () => postern.json("/agent/auth", { ...V01, email: "nobody" }),
  disposable_email: () => postern.json("/agent/auth", { ...V01, email: "ada@mailinator.com" }),
  invalid_key: () => event({}, { kid: "another" }),
  authentication_failed: () => event({}, { typ: "JWT" }),
  rate_limited: () => {
    const crowd = { "cf-connecting-ip": address() };
    return repeated(5, () => identity({ type: "anonymous" }, crowd));
  },
  idempotency_key_reused: async () => {
    const twice = { "cf-connecting-ip": address(), "idempotency-key": "a-key-that-is-used-twice" };
    await postern.json("/agent/auth", V01, twice);
    return postern.json("/agent/auth", { ...V01, agent: "another" }, twice);
  },
  not_found: () => postern.get("/nowhere"),
  method_not_allowed: () => postern.get("/oauth2/token"),
  origin_not_allowed: async () => postern.json("/mcp", {}, { origin: "https://evil.example", ...bearer((await registerKey(postern)).credential) }),
  content_too_large: () => identity(" ".repeat(65 * 1024)),
  unsupported_media_type: () => postern.json("/oauth2/token", {}),
  temporarily_unavailable: () => vouched({ iss: gone }),
};

for (const [code, meet] of Object.entries(MET))
  test(`${code} is met, with the status and at the address that auth.md gives`, async () => {
    const { status, body, text } = await read(meet());
    const ours = "err" in (body ?? {}) ? { error: body.err } : { error: body?.error, at: body?.error_uri ?? body?.type };
    assert.equal(ours.error, code, text);
    if ("at" in ours) assert.match(ours.at, new RegExp(`^http://localhost:\\d+/auth\\.md#${code}$`));
    const page = await (await postern.get("/auth.md")).text();
    assert.match(page, new RegExp(`^### ${code}\\n\\n${status}\\. \\S`, "m"));
  });

/** Those that clients of people meet, in tests of their own. */
const ELSEWHERE = ["agent_inactive", "agent_name_conflict", "already_revoked", "conflict", "depth_exceeded", "forbidden", "invalid_delegation", "invalid_policy", "limit_reached", "policy_denied", "consent_required", "invalid_client_metadata", "invalid_dpop_proof", "invalid_redirect_uri", "invalid_request_uri", "request_not_supported", "unauthorized_client", "unsupported_response_type", "use_dpop_nonce"];

test("auth.md explains no code that is not met above; misconfigured.test.mjs meets server_error", async () => {
  const page = await (await postern.get("/auth.md")).text();
  const headings = [...page.split("\n## Errors\n")[1].matchAll(/^### (\S+)$/gm)].map(([, code]) => code);
  assert.deepEqual(headings.toSorted(), [...Object.keys(MET), ...ELSEWHERE, "server_error"].sort());
});
