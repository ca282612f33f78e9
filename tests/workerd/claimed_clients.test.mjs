// Clients that others wrote, with what a claim brings: the MCP clients, oauth4webapi, and jose as a resource server that is offline.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { inflateSync } from "node:zlib";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { createLocalJWKSet, decodeJwt, jwtVerify } from "jose";
import * as oauth from "oauth4webapi";
import { call, exchange, register, until } from "./support/agent.mjs";
import { bearer, ok } from "./support/answers.mjs";
import { CLAIM, complete, poll, start } from "./support/claim.mjs";
import { Browser, codeOn } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

/** An anonymous agent with a token, and the same once a person has typed its code. */
async function typed(email, between = () => {}) {
  const agent = await register(postern);
  const early = (await exchange(postern, agent.identity_assertion)).access_token;
  const { body } = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: email });
  await between(agent, early);
  const person = await new Browser(postern).signIn(email, body.claim_attempt.verification_uri);
  await person.submit("/agent/identity/claim/complete", { user_code: body.claim_attempt.user_code });
  assert.equal(person.status, 200, person.html);
  return { agent, early };
}

/** What an agent gets whose person read a code to it. */
async function relayed(email) {
  const agent = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email }));
  const person = await new Browser(postern).signIn(email, agent.claim.attempt.verification_uri);
  await person.submit("/claim/code");
  const { body } = await complete(postern, agent.claim.token, codeOn(person.html));
  return { id: body.id, assertion: body.identity.assertion, access_token: (await exchange(postern, body.identity.assertion)).access_token };
}

const CLIENTS = {
  "MCP v1": [() => new ClientV1({ name: "test", version: "1" }), TransportV1],
  "MCP v2, which asks first": [() => new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } }), TransportV2],
  "MCP v2, pinned to 2026-07-28": [() => new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } }), TransportV2],
};

describe("with a token that came through a claim", () => {
  for (const [index, [name, [make, Transport]]] of Object.entries(CLIENTS).entries()) {
    const connected = async (token) => {
      const client = make();
      await client.connect(new Transport(new URL(`${postern.issuer}/mcp`), { requestInit: { headers: bearer(token) } }));
      return client;
    };
    const whoami = async (client) => (await client.callTool({ name: "whoami", arguments: {} })).structuredContent;

    test(`${name} acts for the person, and one with the token from before is shut out (43, 50)`, async () => {
      let before;
      const { agent } = await typed(`mcp-typed-${index}@example.com`, async (mine, early) => {
        before = await connected(early);
        assert.deepEqual((({ claimed, scopes }) => [claimed, scopes])(await whoami(before)), [false, ["api.read"]]);
      });
      const { access_token } = (await poll(postern, agent.claim_token)).body;
      const after = await connected(access_token);
      const { registration_id, claimed, status, scopes, registration_expires } = await whoami(after);
      assert.deepEqual([registration_id, claimed, status, scopes, registration_expires], [agent.registration_id, true, "claimed", ["api.read", "api.write"], null]);
      await until(() => whoami(before).then(() => false, (error) => /401|unauthorized|invalid_token/i.test(`${error} ${error.code}`)), 5000);
      await Promise.all([before.close(), after.close()]);
    });

    test(`${name} acts for a person who read out a code (44)`, async () => {
      const { id, access_token } = await relayed(`mcp-relayed-${index}@example.com`);
      const client = await connected(access_token);
      const { registration_id, registration_type, claimed } = await whoami(client);
      assert.deepEqual([registration_id, registration_type, claimed], [id, "service_auth", true]);
      await client.close();
    });
  }
});

test("oauth4webapi polls with the claim grant: it understands each refusal, and the answer (25)", async () => {
  const plain = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(postern.issuer);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plain }));
  assert.ok(server.grant_types_supported.includes(CLAIM));
  const ask = async ({ registration_id, claim_token }) => {
    const client = { client_id: registration_id };
    return oauth.processGenericTokenEndpointResponse(server, client, await oauth.genericTokenEndpointRequest(server, client, oauth.None(), CLAIM, { claim_token }, plain));
  };
  const refused = (agent, code) => assert.rejects(ask(agent), (error) => (assert.ok(error instanceof oauth.ResponseBodyError, error), assert.deepEqual([error.status, error.error], [400, code]), true));
  const { agent } = await typed("oauth4webapi@example.com", async (mine) => {
    await refused(mine, "authorization_pending");
    await refused(mine, "slow_down");
  });
  const { access_token, token_type, expires_in, scope, refresh_token, identity_assertion, identity } = await ask(agent);
  assert.deepEqual([token_type, expires_in, scope, refresh_token], ["bearer", 900, "api.read api.write", undefined]);
  assert.match(identity.refresh_token.value, /^art_/);
  assert.equal(identity.assertion, identity_assertion);
  const { sub } = await oauth.validateJwtAccessToken(server, new Request(`${postern.issuer}/mcp`, { headers: bearer(access_token) }), `${postern.issuer}/mcp`, plain);
  assert.equal(sub, agent.registration_id);
  await refused({ ...agent, claim_token: "clm_x" }, "expired_token");
});

describe("jose, with the keys and the status list that it has fetched", () => {
  let keys;
  before(async () => (keys = createLocalJWKSet(await ok(postern.get("/.well-known/jwks.json")))));
  const verify = (token, changes = {}) => jwtVerify(token, keys, { issuer: postern.issuer, audience: `${postern.issuer}/mcp`, typ: "at+jwt", algorithms: ["ES256"], requiredClaims: ["sub", "client_id", "iat", "exp", "jti"], ...changes });

  /** Whether the list says that the token has ended. */
  async function hasEnded(token) {
    const { idx, uri } = decodeJwt(token).status.status_list;
    const list = await (await fetch(uri, { headers: { accept: "application/statuslist+jwt" } })).text();
    const { payload } = await jwtVerify(list, keys, { issuer: postern.issuer, subject: uri, typ: "statuslist+jwt", algorithms: ["ES256"] });
    const octets = inflateSync(Buffer.from(payload.status_list.lst, "base64url"));
    assert.ok(idx < octets.length * 8);
    return ((octets[idx >> 3] >> (idx & 7)) & 1) === 1;
  }

  test("verifies the tokens that a claim brings, and reads from the list within a minute that the one from before has ended (6, 50)", async (t) => {
    const { agent, early } = await typed("jose@example.com", async (mine, token) => {
      assert.equal((await verify(token)).payload.scope, "api.read");
      assert.equal(await hasEnded(token), false);
    });
    const { access_token, identity_assertion } = (await poll(postern, agent.claim_token)).body;
    const again = (await exchange(postern, identity_assertion, { resource: `${postern.issuer}/api/v1` })).access_token;
    const relay = await relayed("jose-relay@example.com");
    const { payload } = await verify(access_token);
    assert.deepEqual([payload.sub, payload.scope, payload.exp - payload.iat], [agent.registration_id, "api.read api.write", 900]);
    assert.ok(payload.generation > decodeJwt(early).generation, "of a later generation");
    await verify(again, { audience: `${postern.issuer}/api/v1` });
    assert.equal((await verify(relay.access_token)).payload.sub, relay.id);
    for (const assertion of [identity_assertion, relay.assertion]) {
      await jwtVerify(assertion, keys, { issuer: postern.issuer, audience: postern.issuer, typ: "agent-identity+jwt", algorithms: ["ES256"] });
      await assert.rejects(verify(assertion), { code: "ERR_JWT_CLAIM_VALIDATION_FAILED" });
    }
    t.diagnostic(`in the list after ${await until(() => hasEnded(early), 60_000, 250)} ms`);
    for (const token of [access_token, again, relay.access_token]) {
      assert.equal(await hasEnded(token), false);
      assert.equal(await call(postern.issuer, token), 200);
    }
  });
});
