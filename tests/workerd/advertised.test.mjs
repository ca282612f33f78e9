// Only what works is advertised, in metadata as in auth.md, and it works as it is written.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { exchange, JWT_BEARER, register, registerKey } from "./support/agent.mjs";
import { CLAIM } from "./support/claim.mjs";
import { deploy, RESOURCE_SERVER_KEY } from "./support/postern.mjs";
import { ID_JAG, NO_MAIL, having } from "./support/registration.mjs";

const JSON_DOCUMENTS = ["oauth-protected-resource", "oauth-protected-resource/api/v1", "oauth-authorization-server", "agent-configuration"].map((name) => `/.well-known/${name}`);
const TRUSTED = { TRUSTED_PROVIDERS: JSON.stringify([{ issuer: "http://localhost:9", name: "Example Provider" }]) };
const [EXCHANGE, DEVICE] = ["token-exchange", "device_code"].map((name) => `urn:ietf:params:oauth:grant-type:${name}`);
/** Whoever signs has tests of its own. */
const shared = (methods) => methods.filter((method) => method !== "private_key_jwt");
const EVENTS = ["https://schemas.workos.com/events/agent/auth/identity/assertion/revoked", "https://schemas.workos.com/events/agent/identity/assertion/revoked"];
const get = async (postern, path) => (await postern.get(path)).text();
const metadata = async (postern) => JSON.parse(await get(postern, "/.well-known/oauth-authorization-server"));

/** All web addresses in a text, whatever it is written in. */
const addresses = (text) => new Set([...text.matchAll(/https?:\/\/[^\s"'`<>()\\]+/g)].map(([url]) => url.replace(/[.,;:]+$/, "")));

/** The `agent_auth` that these versions make; every member, and no other. */
function block(issuer, versions, { trust = false, claims = true } = {}) {
  const [newer, v01] = [versions.some((version) => version !== "0.1"), versions.includes("0.1")];
  const named = claims && (newer || v01);
  const assertions = [...(trust && (newer || v01) ? [ID_JAG] : []), ...(v01 && claims ? ["verified_email"] : [])];
  const types = { anonymous: newer || v01, identity_assertion: assertions.length > 0, service_auth: named };
  return {
    skill: `${issuer}/auth.md`,
    identity_types_supported: Object.keys(types).filter((type) => types[type]),
    ...(newer ? { identity_endpoint: `${issuer}/agent/identity` } : {}),
    ...(newer && claims ? { claim_endpoint: `${issuer}/agent/identity/claim` } : {}),
    ...(trust ? { events_endpoint: `${issuer}/agent/event/notify`, events_supported: EVENTS } : {}),
    ...(assertions.length > 0 ? { identity_assertion: { assertion_types_supported: assertions, credential_types_supported: v01 ? ["access_token", "api_key"] : ["access_token"] } } : {}),
    ...(v01 ? { register_uri: `${issuer}/agent/auth`, anonymous: { credential_types_supported: ["api_key"] } } : {}),
    ...(v01 && claims ? { claim_uri: `${issuer}/agent/auth/claim` } : {}),
    ...(v01 && trust ? { revocation_uri: `${issuer}/agent/auth/revoke` } : {}),
    spec_versions_supported: versions,
  };
}

/** What the commands of auth.md do, in order: where, and with which type or grant. */
const steps = (text) => [...text.matchAll(/```sh\ncurl -s https?:\/\/[^/]+(\S+)[^]*?```/g)].map(([command, path]) => [path, /(?:"type":"|grant_type=)([^"\s]+)/.exec(command)?.[1]].filter(Boolean).join(" "));

let postern, trusting;
before(async () => ([postern, trusting] = await Promise.all([deploy(), deploy({ vars: TRUSTED })])));
after(() => Promise.all([postern, trusting].map((one) => one?.stop())));

describe("every address", () => {
  for (const path of [...JSON_DOCUMENTS, "/auth.md", "/llms.txt", "/.well-known/security.txt"])
    test(`in ${path} is ours and leads somewhere`, async () => {
      for (const one of [postern, trusting]) {
        const urls = addresses(await get(one, path));
        for (const name of EVENTS) urls.delete(name); // names of events, not places
        assert.ok(urls.size >= 2, `${path} names addresses`);
        for (const url of urls) {
          assert.ok(url === one.issuer || url.startsWith(`${one.issuer}/`), url);
          for (const method of ["GET", "POST", "OPTIONS"]) {
            const { status } = await fetch(url, { method, redirect: "error" });
            assert.ok(status !== 404 && status < 500, `${method} ${url}: ${status}`);
          }
        }
      }
    });
});

describe("what the metadata lists", () => {
  test("are the fields of this stage and no others", async () => {
    const document = await metadata(postern);
    const { issuer } = postern;
    assert.deepEqual(document.agent_auth, block(issuer, ["0.7", "0.6", "authkit", "0.1"]));
    assert.deepEqual(document.grant_types_supported, [JWT_BEARER, "client_credentials", EXCHANGE, "authorization_code", "refresh_token", DEVICE, "agent_delegation", CLAIM]);
    assert.equal(document.token_endpoint, `${issuer}/oauth2/token`);
    assert.equal(document.revocation_endpoint, `${issuer}/oauth2/revoke`);
    assert.equal(document.introspection_endpoint, `${issuer}/oauth2/introspect`);
    assert.equal(document.jwks_uri, `${issuer}/.well-known/jwks.json`);
    assert.deepEqual(document.authorization_servers, [issuer]);
    assert.equal(document.resource, `${issuer}/mcp`);
    const endpoints = { authorization_endpoint: "authorize", registration_endpoint: "register", pushed_authorization_request_endpoint: "par", device_authorization_endpoint: "device_authorization", userinfo_endpoint: "userinfo", end_session_endpoint: "logout" };
    for (const [name, path] of Object.entries(endpoints)) assert.equal(document[name], `${issuer}/oauth2/${path}`, name);
    assert.deepEqual([document.response_types_supported, document.code_challenge_methods_supported], [["code"], ["S256"]]);
    assert.ok(document.client_id_metadata_document_supported && document.authorization_response_iss_parameter_supported);
    assert.ok(!("authorization_grant_profiles_supported" in document));
  });

  test("with TRUSTED_PROVIDERS gain what a provider's word is good for, and nothing else changes", async () => {
    const [{ agent_auth, authorization_grant_profiles_supported, ...others }, without] = await Promise.all([metadata(trusting), metadata(postern)]);
    assert.deepEqual(agent_auth, block(trusting.issuer, ["0.7", "0.6", "authkit", "0.1"], { trust: true }));
    assert.deepEqual(authorization_grant_profiles_supported, ["urn:ietf:params:oauth:grant-profile:id-jag"]);
    delete without.agent_auth;
    assert.deepEqual(JSON.parse(JSON.stringify(others).replaceAll(trusting.issuer, postern.issuer)), without);
  });

  test("are the grants that work, by every way of authenticating that is listed", async () => {
    const document = await metadata(postern);
    const { identity_assertion } = await register(postern);
    const { credential, registration_id } = await registerKey(postern);
    const basic = (name, secret) => ({ authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}` });
    const status = async (path, fields, headers) => (await postern.form(path, fields, headers)).status;
    const secret = { client_secret: credential };
    const ways = {
      none: () => status("/oauth2/token", { grant_type: JWT_BEARER, assertion: identity_assertion }),
      client_secret_basic: () => status("/oauth2/token", { grant_type: "client_credentials" }, basic(registration_id, credential)),
      client_secret_post: () => status("/oauth2/token", { grant_type: "client_credentials", client_id: registration_id, ...secret }),
    };
    for (const way of shared(document.token_endpoint_auth_methods_supported)) assert.equal(await ways[way](), 200, way);
    const asks = {
      client_secret_basic: () => status("/oauth2/introspect", { token: "x" }, basic("api", RESOURCE_SERVER_KEY)),
      client_secret_post: () => status("/oauth2/introspect", { token: "x", client_id: "api", client_secret: RESOURCE_SERVER_KEY }),
    };
    for (const way of shared(document.introspection_endpoint_auth_methods_supported)) assert.equal(await asks[way](), 200, way);
    const ends = {
      none: () => status("/oauth2/revoke", { token: "x" }),
      client_secret_basic: () => status("/oauth2/revoke", { token: "x" }, basic(registration_id, credential)),
      client_secret_post: () => status("/oauth2/revoke", { token: "x", ...secret }),
    };
    for (const way of shared(document.revocation_endpoint_auth_methods_supported)) assert.equal(await ends[way](), 200, way);
    const known = ["authorization_code", "refresh_token", "password", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange", CLAIM, JWT_BEARER, "client_credentials"];
    for (const grant_type of known) {
      const { error } = await (await postern.form("/oauth2/token", { grant_type, client_secret: "x", assertion: "x" })).json();
      assert.equal(error === "unsupported_grant_type", !document.grant_types_supported.includes(grant_type), `${grant_type}: ${error}`);
    }
  });

  const FLAGS = [["0.7", ["0.7", "0.6"]], ["authkit", ["authkit"]], ["0.1", ["0.1"]], ["none", []]];
  for (const [dialects, versions] of FLAGS)
    for (const trust of [false, true])
      test(`with AUTH_MD_DIALECTS=${dialects}${trust ? " and a provider" : ""} is what that dialect has, and the rest is gone`, () =>
        having({ AUTH_MD_DIALECTS: dialects, ...(trust ? TRUSTED : {}) }, async (one) => {
          const { agent_auth, grant_types_supported, authorization_grant_profiles_supported } = await metadata(one);
          assert.deepEqual(agent_auth, block(one.issuer, versions, { trust }));
          assert.equal(grant_types_supported.includes(CLAIM), versions.includes("0.7"));
          assert.equal(authorization_grant_profiles_supported?.length, trust ? 1 : undefined);
          const [newer, v01] = [versions.some((version) => version !== "0.1"), versions.includes("0.1")];
          const text = await get(one, "/auth.md");
          const body = { type: "anonymous", requested_credential_type: "api_key" };
          for (const [path, on] of [["/agent/identity", newer], ["/agent/auth", v01], ["/api/agent/auth", v01]]) {
            const answer = await one.json(path, body);
            assert.equal(answer.status, on ? 200 : 404, path);
            assert.equal(answer.headers.get("content-type"), "application/json");
            if (path !== "/api/agent/auth") assert.equal(text.includes(`${one.issuer}${path}`), on, `${path} in auth.md`);
          }
          const others = { "/agent/identity/claim": newer, "/agent/identity/claim/complete": versions.includes("authkit"), "/agent/auth/claim": v01, "/agent/auth/claim/complete": v01, "/agent/auth/claim/attempt/challenge": v01, "/agent/event/notify": trust, "/agent/auth/revoke": trust && v01 };
          for (const [path, on] of Object.entries(others)) {
            assert.equal((await one.json(path, {})).status, on ? 400 : 404, path);
            if (!on) assert.ok(!text.includes(`${one.issuer}${path} `), `${path} in auth.md`);
          }
          for (const url of addresses(text)) assert.notEqual((await fetch(url, { method: "POST" })).status, 404, url);
        }));

  test("with MAIL=none has nothing of a claim and nobody to name", () =>
    having(NO_MAIL, async (one) => {
      const { agent_auth, grant_types_supported } = await metadata(one);
      assert.deepEqual(agent_auth, block(NO_MAIL.ISSUER, ["0.7", "0.6", "authkit", "0.1"], { claims: false }));
      assert.deepEqual(grant_types_supported, [JWT_BEARER, "client_credentials", EXCHANGE, "refresh_token", "agent_delegation"]);
      const [text] = (await get(one, "/auth.md")).split("\n## Errors\n");
      for (const word of ["/claim", "claim_", "be claimed", "refresh", "service_auth", "login_hint", "step 5"]) assert.ok(!text.includes(word), word);
    }));

  test("with IDENTITY_TYPES=none is an empty list, and registration says why", () =>
    having({ IDENTITY_TYPES: "none", ...TRUSTED }, async (one) => {
      const { agent_auth, authorization_grant_profiles_supported } = await metadata(one);
      const { anonymous, identity_assertion, ...rest } = block(one.issuer, ["0.7", "0.6", "authkit", "0.1"]);
      assert.deepEqual(agent_auth, { ...rest, identity_types_supported: [] });
      assert.equal(authorization_grant_profiles_supported, undefined);
      for (const path of ["/agent/identity", "/agent/auth"]) {
        const answer = await one.json(path, { type: "anonymous", requested_credential_type: "api_key" });
        assert.deepEqual([answer.status, (await answer.json()).error], [400, "anonymous_not_enabled"]);
      }
      const registering = steps(await get(one, "/auth.md")).filter((step) => /^\/agent\/(auth|identity) (?!refresh)/.test(step));
      assert.deepEqual(registering, [], "auth.md shows no way to register");
    }));
});

describe("the page for people", () => {
  for (const [vars, path] of [[{ AUTH_MD_DIALECTS: "0.7" }, "/agent/auth"], [{ AUTH_MD_DIALECTS: "0.1" }, "/agent/identity"], [{ IDENTITY_TYPES: "none" }, "anonymous"]])
    test(`says nothing of ${path} with ${Object.entries(vars).flat().join("=")}`, async () => {
      assert.ok((await get(postern, "/")).includes(path));
      await having(vars, async (one) => assert.ok(!(await get(one, "/")).includes(path)));
    });
});

describe("auth.md", () => {
  // tests/readme/auth_md.test.mjs runs them.
  const [REGISTER, NAMED, VOUCHED, KEY] = ["/agent/identity anonymous", "/agent/identity service_auth", "/agent/identity identity_assertion", "/agent/auth anonymous"];
  const [BY_ASSERTION, BY_KEY, ME, REVOKE] = [`/oauth2/token ${JWT_BEARER}`, "/oauth2/token client_credentials", "/api/v1/auth/me", "/oauth2/revoke"];
  const TYPED = ["/agent/identity/claim login_hint", `/oauth2/token ${CLAIM}`];
  const RELAY = ["/agent/identity/claim service_auth", "/agent/identity/claim/complete"];
  const REFRESH = "/agent/identity refresh";
  const STEPS = [
    [{}, [REGISTER, KEY, NAMED, BY_ASSERTION, BY_KEY, ME, ...TYPED, ...RELAY, REFRESH, REVOKE]],
    [TRUSTED, [REGISTER, KEY, NAMED, VOUCHED, BY_ASSERTION, BY_KEY, ME, ...TYPED, ...RELAY, REFRESH, REVOKE]],
    [{ CLAIM_CODE: "typed" }, [REGISTER, KEY, NAMED, BY_ASSERTION, BY_KEY, ME, ...TYPED, REFRESH, REVOKE]],
    [{ CLAIM_CODE: "relay" }, [REGISTER, KEY, NAMED, BY_ASSERTION, BY_KEY, ME, ...RELAY, REFRESH, REVOKE]],
    [{ AUTH_MD_DIALECTS: "0.7" }, [REGISTER, NAMED, BY_ASSERTION, ME, ...TYPED, REFRESH, REVOKE]],
    [{ AUTH_MD_DIALECTS: "authkit" }, [REGISTER, NAMED, BY_ASSERTION, ME, ...RELAY, REFRESH, REVOKE]],
    [{ AUTH_MD_DIALECTS: "0.1" }, [KEY, BY_KEY, ME, REVOKE]],
    [NO_MAIL, [REGISTER, KEY, BY_ASSERTION, BY_KEY, ME, REVOKE]],
    [{ IDENTITY_TYPES: "service_auth" }, [NAMED, BY_ASSERTION, BY_KEY, ME, ...TYPED, ...RELAY, REFRESH, REVOKE]],
  ];
  for (const [vars, expected] of STEPS)
    test(`with ${Object.entries(vars).map(([name, value]) => `${name}=${value}`).join(", ") || "the defaults"} shows the steps that work there and no others`, () =>
      having(vars, async (one) => {
        const text = await get(one, "/auth.md");
        assert.deepEqual(steps(text), expected);
        for (const [words, number] of text.matchAll(/\bsteps? (\d)/g)) assert.match(text, new RegExp(`^## ${number}\\. `, "m"), `"${words}" is on the page`);
      }));

  test("says rightly that an API key is accepted in place of a token, and that leaving answers with nothing", async () => {
    const lines = [...(await get(postern, "/auth.md")).matchAll(/```sh\n([^]*?)```/g)].map(([, lines]) => lines);
    const run = async (path, TOKEN) => (await promisify(execFile)("sh", ["-c", lines.find((line) => line.includes(path))], { env: { PATH: process.env.PATH, TOKEN } })).stdout;
    const { credential, registration_id } = await registerKey(postern);
    assert.equal(JSON.parse(await run(ME, credential)).registration_id, registration_id);
    assert.equal(await run(REVOKE, credential), "");
    assert.equal(JSON.parse(await run(ME, credential)).error, "invalid_token");
  });

  test("gives the numbers, scopes and names of this deployment", async () => {
    const vars = { ACCESS_TOKEN_TTL: "777", ASSERTION_TTL: "2222", UNCLAIMED_REGISTRATION_TTL: "33333", SCOPES_SUPPORTED: "cats.pet cats.feed", READ_SCOPE: "cats.pet", PRE_CLAIM_SCOPES: "cats.pet", POST_CLAIM_SCOPES: "cats.pet cats.feed", API_KEY_PREFIX: "meow", SERVICE_NAME: "Cat House", REGISTRATIONS_PER_NETWORK_PER_HOUR: "44", VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR: "55", SERVICE_DOCUMENTATION: "https://cats.example/docs", SERVICE_LOGO: "https://cats.example/cat.svg", SECURITY_CONTACT: "mailto:security@cats.example" };
    await having(vars, async (cats) => {
      const text = await get(cats, "/auth.md");
      for (const word of ["777", "2222", "33333", "44", "55", "cats.pet", "cats.feed", "`meow_`", "Cat House", "https://cats.example/docs"]) assert.ok(text.includes(word), word);
      for (const word of ["900", "3600", "86400", "api.read", "api.write", "postern_"]) assert.ok(!text.includes(word), word);
      const resource = JSON.parse(await get(cats, "/.well-known/oauth-protected-resource/api/v1"));
      assert.deepEqual([resource.resource_name, resource.resource_logo_uri, resource.resource_documentation], ["Cat House", vars.SERVICE_LOGO, vars.SERVICE_DOCUMENTATION]);
      assert.deepEqual(resource.scopes_supported.sort(), ["cats.feed", "cats.pet"]);
      const { credential } = await registerKey(cats);
      assert.ok(credential.startsWith("meow_"));
      const { expires_in, scope } = await exchange(cats, (await register(cats)).identity_assertion);
      assert.deepEqual([expires_in, scope], [777, "cats.pet"]);
      assert.match(await get(cats, "/.well-known/security.txt"), /^Contact: mailto:security@cats\.example$/m);
      assert.ok((await get(cats, "/llms.txt")).includes("https://cats.example/docs"));
    });
  });
});
