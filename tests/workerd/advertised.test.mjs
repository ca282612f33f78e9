// Only what works is advertised, in metadata as in auth.md, and it works as it is written.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { exchange, JWT_BEARER, register, registerKey } from "./support/agent.mjs";
import { address, deploy, RESOURCE_SERVER_KEY } from "./support/postern.mjs";

const JSON_DOCUMENTS = ["oauth-protected-resource", "oauth-protected-resource/api/v1", "oauth-authorization-server", "agent-configuration"].map((name) => `/.well-known/${name}`);
const get = async (postern, path) => (await postern.get(path)).text();
const metadata = async (postern) => JSON.parse(await get(postern, "/.well-known/oauth-authorization-server"));

/** All web addresses in a text, whatever it is written in. */
const addresses = (text) => new Set([...text.matchAll(/https?:\/\/[^\s"'`<>()\\]+/g)].map(([url]) => url.replace(/[.,;:]+$/, "")));

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

describe("every address", () => {
  for (const path of [...JSON_DOCUMENTS, "/auth.md", "/llms.txt", "/.well-known/security.txt"])
    test(`in ${path} is ours and leads somewhere`, async () => {
      const urls = addresses(await get(postern, path));
      assert.ok(urls.size >= 2, `${path} names addresses`);
      for (const url of urls) {
        assert.ok(url === postern.issuer || url.startsWith(`${postern.issuer}/`), url);
        for (const method of ["GET", "POST", "OPTIONS"]) {
          const { status } = await fetch(url, { method, redirect: "error" });
          assert.ok(status !== 404 && status < 500, `${method} ${url}: ${status}`);
        }
      }
    });
});

describe("what the metadata lists", () => {
  test("are the fields of this stage and no others", async () => {
    const document = await metadata(postern);
    const { issuer } = postern;
    assert.deepEqual(document.agent_auth, {
      skill: `${issuer}/auth.md`,
      identity_endpoint: `${issuer}/agent/identity`,
      identity_types_supported: ["anonymous"],
      register_uri: `${issuer}/agent/auth`,
      anonymous: { credential_types_supported: ["api_key"] },
      spec_versions_supported: ["0.7", "0.6", "authkit", "0.1"],
    });
    assert.equal(document.token_endpoint, `${issuer}/oauth2/token`);
    assert.equal(document.revocation_endpoint, `${issuer}/oauth2/revoke`);
    assert.equal(document.introspection_endpoint, `${issuer}/oauth2/introspect`);
    assert.equal(document.jwks_uri, `${issuer}/.well-known/jwks.json`);
    assert.deepEqual(document.authorization_servers, [issuer]);
    assert.equal(document.resource, `${issuer}/mcp`);
    for (const later of ["authorization_endpoint", "registration_endpoint", "device_authorization_endpoint", "userinfo_endpoint", "code_challenge_methods_supported", "client_id_metadata_document_supported"])
      assert.ok(!(later in document), later);
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
    for (const way of document.token_endpoint_auth_methods_supported) assert.equal(await ways[way](), 200, way);
    const asks = {
      client_secret_basic: () => status("/oauth2/introspect", { token: "x" }, basic("api", RESOURCE_SERVER_KEY)),
      client_secret_post: () => status("/oauth2/introspect", { token: "x", client_id: "api", client_secret: RESOURCE_SERVER_KEY }),
    };
    for (const way of document.introspection_endpoint_auth_methods_supported) assert.equal(await asks[way](), 200, way);
    const ends = {
      none: () => status("/oauth2/revoke", { token: "x" }),
      client_secret_basic: () => status("/oauth2/revoke", { token: "x" }, basic(registration_id, credential)),
      client_secret_post: () => status("/oauth2/revoke", { token: "x", ...secret }),
    };
    for (const way of document.revocation_endpoint_auth_methods_supported) assert.equal(await ends[way](), 200, way);
    const known = ["authorization_code", "refresh_token", "password", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:workos:agent-auth:grant-type:claim", JWT_BEARER, "client_credentials"];
    for (const grant_type of known) {
      const { error } = await (await postern.form("/oauth2/token", { grant_type, client_secret: "x", assertion: "x" })).json();
      assert.equal(error === "unsupported_grant_type", !document.grant_types_supported.includes(grant_type), `${grant_type}: ${error}`);
    }
  });

  const FLAGS = [
    ["0.7", ["identity_endpoint"], ["0.7", "0.6"], ["anonymous"]],
    ["authkit", ["identity_endpoint"], ["authkit"], ["anonymous"]],
    ["0.1", ["register_uri", "anonymous"], ["0.1"], ["anonymous"]],
    ["none", [], [], []],
  ];
  for (const [dialects, names, versions, types] of FLAGS)
    test(`with AUTH_MD_DIALECTS=${dialects} is what that dialect has, and the rest is gone`, async () => {
      const one = await deploy({ vars: { AUTH_MD_DIALECTS: dialects }, persist: false });
      try {
        const { agent_auth } = await metadata(one);
        assert.deepEqual(Object.keys(agent_auth).sort(), [...names, "identity_types_supported", "skill", "spec_versions_supported"].sort());
        assert.deepEqual(agent_auth.spec_versions_supported, versions);
        assert.deepEqual(agent_auth.identity_types_supported, types);
        const text = await get(one, "/auth.md");
        const body = { type: "anonymous", requested_credential_type: "api_key" };
        for (const [path, on] of [["/agent/identity", names.includes("identity_endpoint")], ["/agent/auth", names.includes("register_uri")], ["/api/agent/auth", names.includes("register_uri")]]) {
          const answer = await one.json(path, body);
          assert.equal(answer.status, on ? 200 : 404, path);
          assert.equal(answer.headers.get("content-type"), "application/json");
          if (path !== "/api/agent/auth") assert.equal(text.includes(`${one.issuer}${path}`), on, `${path} in auth.md`);
        }
        for (const url of addresses(text)) assert.notEqual((await fetch(url, { method: "POST" })).status, 404, url);
      } finally {
        await one.stop();
      }
    });

  test("with IDENTITY_TYPES=none is an empty list, and registration says why", async () => {
    const one = await deploy({ vars: { IDENTITY_TYPES: "none" }, persist: false });
    try {
      const { agent_auth } = await metadata(one);
      assert.deepEqual(agent_auth.identity_types_supported, []);
      assert.ok(!("anonymous" in agent_auth));
      for (const path of ["/agent/identity", "/agent/auth"]) {
        const answer = await one.json(path, { type: "anonymous", requested_credential_type: "api_key" });
        assert.deepEqual([answer.status, (await answer.json()).error], [400, "anonymous_not_enabled"]);
      }
      assert.ok(!(await get(one, "/auth.md")).includes('"type":"anonymous"'), "auth.md shows no way to register");
    } finally {
      await one.stop();
    }
  });
});

describe("the page for people", () => {
  for (const [vars, path] of [[{ AUTH_MD_DIALECTS: "0.7" }, "/agent/auth"], [{ AUTH_MD_DIALECTS: "0.1" }, "/agent/identity"], [{ IDENTITY_TYPES: "none" }, "anonymous"]])
    test(`says nothing of ${path} with ${Object.entries(vars).flat().join("=")}`, async () => {
      assert.ok((await get(postern, "/")).includes(path));
      const one = await deploy({ vars, persist: false });
      try {
        assert.ok(!(await get(one, "/")).includes(path));
      } finally {
        await one.stop();
      }
    });
});

describe("auth.md", () => {
  test("is followed to the letter: its shell lines register, get a token, call and leave", async () => {
    const blocks = [...(await get(postern, "/auth.md")).matchAll(/```sh\n([^]*?)```/g)].map(([, lines]) => lines);
    assert.equal(blocks.length, 6);
    const run = async (lines, env = {}) => (await promisify(execFile)("sh", ["-c", lines], { env: { PATH: process.env.PATH, ...env } })).stdout;
    const [identity, key, byAssertion, byKey, me, revoke] = blocks;
    const registered = JSON.parse(await run(identity));
    const withKey = JSON.parse(await run(key));
    for (const [lines, env, id] of [[byAssertion, { ASSERTION: registered.identity_assertion }, registered.registration_id], [byKey, { API_KEY: withKey.credential }, withKey.registration_id]]) {
      const { access_token, token_type, expires_in } = JSON.parse(await run(lines, env));
      assert.deepEqual([token_type, expires_in], ["Bearer", 900]);
      assert.equal(JSON.parse(await run(me, { TOKEN: access_token })).registration_id, id);
      assert.equal(await run(revoke, { TOKEN: access_token }), "");
      assert.equal(JSON.parse(await run(me, { TOKEN: access_token })).error, "invalid_token");
    }
    assert.equal(JSON.parse(await run(me, { TOKEN: withKey.credential })).registration_id, withKey.registration_id, "a key in place of a token");
  });

  test("gives the numbers, scopes and names of this deployment", async () => {
    const vars = { ACCESS_TOKEN_TTL: "777", ASSERTION_TTL: "2222", UNCLAIMED_REGISTRATION_TTL: "33333", SCOPES_SUPPORTED: "cats.pet cats.feed", READ_SCOPE: "cats.pet", PRE_CLAIM_SCOPES: "cats.pet", POST_CLAIM_SCOPES: "cats.pet cats.feed", API_KEY_PREFIX: "meow", SERVICE_NAME: "Cat House", REGISTRATIONS_PER_NETWORK_PER_HOUR: "44", SERVICE_DOCUMENTATION: "https://cats.example/docs", SERVICE_LOGO: "https://cats.example/cat.svg", SECURITY_CONTACT: "mailto:security@cats.example" };
    const cats = await deploy({ vars, persist: false });
    try {
      const text = await get(cats, "/auth.md");
      for (const word of ["777", "2222", "33333", "44", "cats.pet", "cats.feed", "`meow_`", "Cat House", "https://cats.example/docs"]) assert.ok(text.includes(word), word);
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
    } finally {
      await cats.stop();
    }
  });

  test("explains every error that can be met, at the address that the error gives", async () => {
    const text = await get(postern, "/auth.md");
    const headings = new Set([...text.matchAll(/^### (\S+)$/gm)].map(([, code]) => code));
    const { credential } = await registerKey(postern);
    const off = await deploy({ vars: { IDENTITY_TYPES: "none" }, persist: false });
    const post = (path, body, headers) => postern.json(path, body, headers);
    const v01 = { type: "anonymous", requested_credential_type: "api_key" };
    const crowd = address();
    for (let count = 0; count < 5; count += 1) await post("/agent/identity", { type: "anonymous" }, { "cf-connecting-ip": crowd });
    const twice = { "cf-connecting-ip": address(), "idempotency-key": "a-key-that-is-used-twice" };
    await post("/agent/auth", v01, twice);
    const answers = {
      invalid_request: post("/agent/identity", "{"),
      invalid_client: postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: "x" }),
      invalid_grant: postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: "x" }),
      invalid_scope: postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: credential, scope: "api.write" }),
      unsupported_grant_type: postern.form("/oauth2/token", { grant_type: "password" }),
      invalid_target: postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: credential, resource: "https://other.example" }),
      unauthorized: postern.get("/api/v1/auth/me"),
      invalid_token: postern.get("/api/v1/auth/me", { authorization: "Bearer x" }),
      anonymous_not_enabled: off.json("/agent/identity", { type: "anonymous" }),
      service_auth_not_enabled: post("/agent/identity", { type: "service_auth", login_hint: "ada@example.com" }),
      issuer_not_enabled: post("/agent/identity", { type: "identity_assertion", assertion_type: "urn:ietf:params:oauth:token-type:id-jag", assertion: "x" }),
      unsupported_credential_type: post("/agent/auth", { ...v01, requested_credential_type: "access_token" }),
      invalid_email: post("/agent/auth", { ...v01, email: "nobody" }),
      disposable_email: post("/agent/auth", { ...v01, email: "ada@mailinator.com" }),
      rate_limited: post("/agent/identity", { type: "anonymous" }, { "cf-connecting-ip": crowd }),
      idempotency_key_reused: post("/agent/auth", { ...v01, agent: "another" }, twice),
      not_found: postern.get("/nowhere"),
      method_not_allowed: postern.get("/oauth2/token"),
      origin_not_allowed: post("/mcp", {}, { origin: "https://evil.example", authorization: `Bearer ${credential}` }),
      content_too_large: post("/agent/identity", " ".repeat(65 * 1024)),
      unsupported_media_type: post("/oauth2/token", {}),
    };
    for (const [code, answering] of Object.entries(answers)) {
      const answer = await answering;
      const { error, error_uri, type } = await answer.json();
      assert.equal(error, code);
      assert.match(error_uri ?? type, new RegExp(`^http://localhost:\\d+/auth\\.md#${code}$`));
      assert.ok(headings.has(code), `auth.md explains ${code}`);
      assert.match(text, new RegExp(`^### ${code}\\n\\n${answer.status}\\. \\S`, "m"));
    }
    for (const code of ["insufficient_scope", "server_error", "temporarily_unavailable"]) assert.ok(headings.has(code), code);
    await off.stop();
  });
});
