// Clients that others wrote, against the gate as it is: oauth4webapi, jose, and the MCP clients for TypeScript.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import * as oauth from "oauth4webapi";
import { JWT_BEARER, claims, exchange, register, registerKey } from "./support/agent.mjs";
import { bearer, ok } from "./support/answers.mjs";
import { OPERATOR_KEY, RESOURCE_SERVER_KEY, deploy } from "./support/postern.mjs";
import { TOOLS } from "./support/tools.mjs";

let postern, server, mine, keyed;
const plain = { [oauth.allowInsecureRequests]: true };
before(async () => {
  postern = await deploy();
  const issuer = new URL(postern.issuer);
  server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plain }));
  mine = await register(postern);
  keyed = await registerKey(postern);
});
after(() => postern.stop());

const client = () => ({ client_id: keyed.registration_id });
const resource = () => `${postern.issuer}/mcp`;
const METHODS = { ClientSecretBasic: oauth.ClientSecretBasic, ClientSecretPost: oauth.ClientSecretPost };

async function credentialsToken(method = oauth.ClientSecretBasic, parameters = {}) {
  const answer = await oauth.clientCredentialsGrantRequest(server, client(), method(keyed.credential), parameters, plain);
  return oauth.processClientCredentialsResponse(server, client(), answer);
}

describe("oauth4webapi", () => {
  test("discovers the server, and each of our resources with it", async () => {
    assert.equal(server.issuer, postern.issuer);
    for (const path of ["/mcp", "/api/v1"]) {
      const identifier = new URL(postern.issuer + path);
      const document = await oauth.processResourceDiscoveryResponse(identifier, await oauth.resourceDiscoveryRequest(identifier, plain));
      assert.deepEqual(document.authorization_servers, [postern.issuer]);
    }
  });

  for (const [name, method] of Object.entries(METHODS)) {
    test(`gets a token with an API key by ${name}`, async () => {
      assert.ok(server.token_endpoint_auth_methods_supported.includes(name === "ClientSecretBasic" ? "client_secret_basic" : "client_secret_post"));
      const { access_token, token_type, expires_in, scope } = await credentialsToken(method, { scope: "api.read", resource: resource() });
      assert.deepEqual([token_type, expires_in, scope, claims(access_token).aud], ["bearer", 900, "api.read", resource()]);
      await assert.rejects(credentialsToken(() => method("wrong")), (error) => error.cause?.[0]?.scheme === "basic" || error.error === "invalid_client");
    });

    test(`learns and ends by ${name}`, async () => {
      const { access_token } = await credentialsToken();
      const api = { client_id: "api" };
      const learn = async () => oauth.processIntrospectionResponse(server, api, await oauth.introspectionRequest(server, api, method(RESOURCE_SERVER_KEY), access_token, plain));
      const { active, client_id, iss, aud } = await learn();
      assert.deepEqual([active, client_id, iss, aud], [true, keyed.registration_id, postern.issuer, resource()]);
      await oauth.processRevocationResponse(await oauth.revocationRequest(server, client(), method(keyed.credential), access_token, plain));
      assert.deepEqual(await learn(), { active: false });
    });
  }

  test("gets a token with an assertion, and a refusal that it understands", async () => {
    const agent = { client_id: mine.registration_id };
    const ask = async (assertion) => {
      const answer = await oauth.genericTokenEndpointRequest(server, agent, oauth.None(), JWT_BEARER, { assertion, resource: resource() }, plain);
      return oauth.processGenericTokenEndpointResponse(server, agent, answer);
    };
    const { access_token, expires_in } = await ask(mine.identity_assertion);
    assert.equal(typeof expires_in, "number");
    assert.equal(claims(access_token).sub, mine.registration_id);
    await assert.rejects(ask("x"), (error) => error instanceof oauth.ResponseBodyError && error.error === "invalid_grant");
  });

  test("validates access tokens as a resource server (RFC 9068)", async () => {
    const { access_token } = await credentialsToken();
    const validate = (headers, audience) => oauth.validateJwtAccessToken(server, new Request(resource(), { headers }), audience, plain);
    const { sub, client_id, scope } = await validate(bearer(access_token), resource());
    assert.deepEqual([sub, client_id, scope], [keyed.registration_id, keyed.registration_id, "api.read"]);
    await assert.rejects(validate(bearer(access_token), `${postern.issuer}/api/v1`));
    await assert.rejects(validate(bearer(mine.identity_assertion), postern.issuer));
  });

  test("reads our challenge", async () => {
    const ask = (token) => oauth.protectedResourceRequest(token, "GET", new URL(`${postern.issuer}/api/v1/auth/me`), undefined, undefined, plain);
    assert.equal((await ask((await credentialsToken()).access_token)).status, 200);
    await assert.rejects(ask("x"), (error) => {
      assert.ok(error instanceof oauth.WWWAuthenticateChallengeError, error);
      const [{ scheme, parameters }] = error.cause;
      assert.deepEqual([error.cause.length, scheme, parameters.error, parameters.scope], [1, "bearer", "invalid_token", "api.read"]);
      return parameters.resource_metadata === `${postern.issuer}/.well-known/oauth-protected-resource/api/v1`;
    });
  });
});

describe("MCP clients", () => {
  const connected = async (client, Transport, token) => {
    await client.connect(new Transport(new URL(resource()), { requestInit: { headers: bearer(token) } }));
    return client;
  };
  const v2 = (mode) => new ClientV2({ name: "test", version: "1" }, mode ? { versionNegotiation: { mode } } : {});
  const CLIENTS = {
    "v1, as it comes": [() => new ClientV1({ name: "test", version: "1" }), TransportV1],
    "v2, as it comes": [() => v2(), TransportV2, "2025-11-25"],
    "v2, which asks first": [() => v2("auto"), TransportV2, "2026-07-28"],
    "v2, pinned to 2026-07-28": [() => v2({ pin: "2026-07-28" }), TransportV2, "2026-07-28"],
  };

  for (const [name, [make, Transport, version]] of Object.entries(CLIENTS)) {
    test(`${name}: connects, lists the tools and calls whoami`, async () => {
      const { access_token } = await exchange(postern, mine.identity_assertion);
      for (const credential of [access_token, keyed.credential]) {
        const client = await connected(make(), Transport, credential);
        try {
          assert.equal(client.getServerVersion().name, "postern");
          if (version) assert.equal(client.getNegotiatedProtocolVersion(), version);
          assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), TOOLS);
          const { isError, structuredContent, content } = await client.callTool({ name: "whoami", arguments: {} });
          assert.ok(!isError);
          assert.equal(structuredContent.registration_id, credential === access_token ? mine.registration_id : keyed.registration_id);
          assert.deepEqual(JSON.parse(content[0].text), structuredContent);
          await assert.rejects(client.callTool({ name: "nothing", arguments: {} }), /-32602|tool/i);
        } finally {
          await client.close();
        }
      }
    });

    test(`${name}: is told 401 with a token that does not count`, async () => {
      await assert.rejects(connected(make(), Transport, "x"), /401|unauthorized|invalid_token/i);
    });
  }
});

test("jose follows the published keys through a rotation and a revocation", async () => {
  const keys = createRemoteJWKSet(new URL(server.jwks_uri), { cooldownDuration: 0 });
  const verify = (token) => jwtVerify(token, keys, { issuer: postern.issuer, audience: resource(), typ: "at+jwt", algorithms: ["ES256"] });
  const { access_token: first } = await credentialsToken();
  assert.equal((await verify(first)).payload.sub, keyed.registration_id);
  const operate = (path, body) => ok(postern.json(`/operator/keys/${path}`, body, bearer(OPERATOR_KEY)));
  const next = (await operate("rotate", {})).keys.find(({ state }) => state === "next").kid;
  assert.equal((await verify((await credentialsToken()).access_token)).protectedHeader.kid, decodeProtectedHeader(first).kid);
  await operate("revoke", { kid: decodeProtectedHeader(first).kid });
  const { access_token: second } = await credentialsToken();
  assert.equal((await verify(second)).protectedHeader.kid, next);
  await assert.rejects(verify(first), { code: "ERR_JWKS_NO_MATCHING_KEY" });
});
