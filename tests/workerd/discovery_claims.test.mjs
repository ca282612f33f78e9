// What the metadata says of claims, sign-up by name and events, and that each of it works.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { JWT_BEARER, register } from "./support/agent.mjs";
import { ok, read, refused } from "./support/answers.mjs";
import { CLAIM, poll } from "./support/claim.mjs";
import { refusedAgent, someone, typed } from "./support/ceremony.mjs";
import { deploy } from "./support/postern.mjs";

const WELL_KNOWN = "/.well-known/oauth-authorization-server";
const PROVIDER = JSON.stringify([{ issuer: "http://localhost:9", name: "Example Provider" }]);
const EVENTS = ["https://schemas.workos.com/events/agent/auth/identity/assertion/revoked", "https://schemas.workos.com/events/agent/identity/assertion/revoked"];
const metadata = (postern) => ok(postern.get(WELL_KNOWN));

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

/** Runs with a deployment of its own. */
async function withVars(vars, run) {
  const one = await deploy({ vars, persist: false });
  try {
    await run(one);
  } finally {
    await one.stop();
  }
}

test("a client that cuts slashes off an issuer and appends the well-known path finds the metadata with 0, 1 and 2 of them, and below a path (1)", async () => {
  for (const issuer of ["", "/", "//", "/mcp", "/mcp/", "/api/v1", "/api/v1//"]) {
    const url = `${(postern.issuer + issuer).replace(/\/+$/, "")}${WELL_KNOWN}`;
    const response = await fetch(url, { headers: { accept: "*/*", "user-agent": "node" }, redirect: "error" });
    assert.equal(response.status, 200, url);
    const document = await response.json();
    assert.equal(document.issuer, postern.issuer);
    assert.equal(document.agent_auth.identity_endpoint, `${postern.issuer}/agent/identity`);
  }
});

test("identity_types_supported is an array whatever is switched off (2)", async () => {
  assert.deepEqual((await metadata(postern)).agent_auth.identity_types_supported.toSorted(), ["anonymous", "identity_assertion", "service_auth"]);
  for (const vars of [{ IDENTITY_TYPES: "none" }, { AUTH_MD_DIALECTS: "none" }, { IDENTITY_TYPES: "none", AUTH_MD_DIALECTS: "none" }])
    await withVars(vars, async (one) => assert.deepEqual((await metadata(one)).agent_auth.identity_types_supported, [], JSON.stringify(vars)));
  await withVars({ IDENTITY_TYPES: "service_auth" }, async (one) => {
    const { agent_auth } = await metadata(one);
    assert.ok(agent_auth.identity_types_supported.includes("service_auth") && !agent_auth.identity_types_supported.includes("anonymous"));
    await refusedAgent(one.json("/agent/identity", { type: "anonymous" }), 400, "anonymous_not_enabled");
    await ok(one.json("/agent/identity", { type: "service_auth", login_hint: someone() }));
  });
});

test("claim_endpoint has neither trailing slash nor query, is what answers call claim.url, and /complete below it answers (3)", async () => {
  const { agent_auth } = await metadata(postern);
  assert.equal(agent_auth.claim_endpoint, `${postern.issuer}/agent/identity/claim`);
  assert.doesNotMatch(agent_auth.claim_endpoint, /[/?#]$|\?/);
  const anonymous = await register(postern);
  const named = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: someone() }));
  for (const { claim, claim_url } of [anonymous, named]) assert.deepEqual([claim.url, claim_url], [agent_auth.claim_endpoint, agent_auth.claim_endpoint]);
  const body = JSON.stringify({ claim_token: named.claim.token, user_code: "000000" });
  const answer = await read(fetch(`${agent_auth.claim_endpoint}/complete`, { method: "POST", headers: { "content-type": "application/json" }, body }));
  assert.equal(answer.body.error, "claim_not_confirmed", answer.text);
});

describe("the names of auth.md v0.1", () => {
  test("lead to endpoints that are there when it is on (4)", async () => {
    await withVars({ TRUSTED_PROVIDERS: PROVIDER }, async (one) => {
      const { agent_auth } = await metadata(one);
      assert.deepEqual(
        [agent_auth.register_uri, agent_auth.claim_uri, agent_auth.revocation_uri],
        ["/agent/auth", "/agent/auth/claim", "/agent/auth/revoke"].map((path) => one.issuer + path),
      );
      assert.deepEqual(agent_auth.anonymous, { credential_types_supported: ["api_key"] });
      assert.ok(agent_auth.spec_versions_supported.includes("0.1"));
      for (const url of [agent_auth.register_uri, agent_auth.claim_uri, `${agent_auth.claim_uri}/attempt/challenge`, `${agent_auth.claim_uri}/complete`, agent_auth.revocation_uri]) {
        const { status, body, text } = await read(fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }));
        assert.ok(status >= 400 && status < 500 && status !== 404 && (body.error || body.err), `${url} ${status} ${text}`);
      }
    });
  });

  test("are absent when it is off, and so are the endpoints (4)", async () => {
    await withVars({ AUTH_MD_DIALECTS: "0.7 authkit", TRUSTED_PROVIDERS: PROVIDER }, async (one) => {
      const { agent_auth } = await metadata(one);
      for (const name of ["register_uri", "claim_uri", "revocation_uri", "anonymous"]) assert.ok(!(name in agent_auth), name);
      assert.ok(!agent_auth.spec_versions_supported.includes("0.1"));
      assert.ok(!agent_auth.identity_assertion.assertion_types_supported.includes("verified_email"));
      for (const path of ["/agent/auth", "/api/agent/auth", "/agent/auth/claim", "/agent/auth/claim/attempt/challenge", "/agent/auth/claim/complete", "/agent/auth/revoke"]) {
        const { status, body, text } = await read(one.json(path, { type: "anonymous", requested_credential_type: "api_key", claim_token: "clm_x", email: someone(), otp: "123456", claim_attempt_token: "cvt_x" }));
        assert.deepEqual([status, body?.error], [404, "not_found"], `${path} ${text}`);
      }
    });
  });
});

describe("grants", () => {
  test("of both agent dialects are listed, and each is known to the token endpoint (5)", async () => {
    const { grant_types_supported } = await metadata(postern);
    for (const grant of [JWT_BEARER, CLAIM]) {
      assert.ok(grant_types_supported.includes(grant));
      await refused(postern.form("/oauth2/token", { grant_type: grant }), 400, "invalid_request", grant);
    }
  });

  test("lose the claim grant where AuthKit is the only dialect, and a poll is then unsupported_grant_type (5)", async () => {
    await withVars({ AUTH_MD_DIALECTS: "authkit" }, async (one) => {
      assert.deepEqual((await metadata(one)).grant_types_supported.filter((grant) => grant.startsWith("urn:workos:")), []);
      const { claim } = await register(one);
      await refused(one.form("/oauth2/token", { grant_type: CLAIM, claim_token: claim.token }), 400, "unsupported_grant_type");
    });
  });

  test("lose AuthKit's completion where 0.7 is the only dialect, and answers have none of its fields", async () => {
    await withVars({ AUTH_MD_DIALECTS: "0.7" }, async (one) => {
      const { claim_token, claim, identity } = await register(one);
      assert.deepEqual([claim, identity], [undefined, undefined]);
      await refusedAgent(one.json("/agent/identity/claim/complete", { claim_token, user_code: "000000" }), 404, "not_found");
      assert.equal((await poll(one, claim_token)).body.error, "authorization_pending");
    });
  });
});

test("jwks_uri is served, and its keys verify our assertions from before and after a claim (6)", async () => {
  const { jwks_uri, issuer } = await metadata(postern);
  const keys = createRemoteJWKSet(new URL(jwks_uri));
  const { agent, claim_token } = await typed(postern);
  const delivered = (await poll(postern, claim_token)).body;
  for (const assertion of [agent.identity_assertion, delivered.identity_assertion]) {
    const { payload } = await jwtVerify(assertion, keys, { issuer, audience: issuer, algorithms: ["ES256"], typ: "agent-identity+jwt" });
    assert.equal(payload.sub, agent.registration_id);
  }
});

test("events_supported lists both event URIs beside an events_endpoint that answers, once a provider is trusted (7)", async () => {
  await withVars({ TRUSTED_PROVIDERS: PROVIDER }, async (one) => {
    const { agent_auth } = await metadata(one);
    assert.deepEqual(agent_auth.events_supported.toSorted(), EVENTS);
    assert.equal(agent_auth.events_endpoint, `${one.issuer}/agent/event/notify`);
    assert.ok(agent_auth.identity_types_supported.includes("identity_assertion"));
    assert.ok(agent_auth.identity_assertion.assertion_types_supported.includes("urn:ietf:params:oauth:token-type:id-jag"));
    const answer = await read(fetch(agent_auth.events_endpoint, { method: "POST", headers: { "content-type": "application/secevent+jwt" }, body: "x" }));
    assert.equal(answer.status, 400, answer.text);
    assert.ok(answer.body.err && answer.body.description, answer.text);
  });
});

test("where nobody delivers mail there is nothing of claims: not in the metadata, not in answers, not at the endpoints (2, 3)", async () => {
  await withVars({ DEV: null, ISSUER: "https://auth.example", MAIL: "none" }, async (one) => {
    const document = await ok(one.get(WELL_KNOWN));
    assert.deepEqual(document.agent_auth.identity_types_supported, ["anonymous"]);
    for (const name of ["claim_endpoint", "claim_uri", "events_endpoint", "events_supported", "revocation_uri"]) assert.ok(!(name in document.agent_auth), name);
    assert.ok(!document.grant_types_supported.includes(CLAIM));
    const agent = await register(one);
    for (const name of ["claim", "claim_token", "claim_url", "claim_token_expires"]) assert.ok(!(name in agent), name);
    await refusedAgent(one.json("/agent/identity", { type: "service_auth", login_hint: someone() }), 400, "service_auth_not_enabled");
    for (const path of ["/agent/identity/claim", "/agent/identity/claim/complete", "/agent/auth/claim", "/agent/auth/claim/complete", "/agent/auth/claim/attempt/challenge"])
      assert.equal((await read(one.json(path, { claim_token: "clm_x", login_hint: someone(), email: someone(), user_code: "123456", otp: "123456", claim_attempt_token: "cvt_x" }))).status, 404, path);
    for (const path of ["/login", "/claim", "/account", "/dev/outbox"]) assert.equal((await one.get(path)).status, 404, path);
    assert.equal((await poll(one, "clm_x")).body.error, "unsupported_grant_type");
  });
});
