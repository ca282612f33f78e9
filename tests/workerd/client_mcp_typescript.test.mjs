// The official MCP clients for TypeScript, which know the address of /mcp and nothing else: from the 401 to the tools, and to stay connected.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { claims } from "./support/agent.mjs";
import { CLIENTS, Provider, connect, finish } from "./support/mcp_client.mjs";
import { person } from "./support/oauth.mjs";
import { deploy } from "./support/postern.mjs";
import { TOOLS } from "./support/tools.mjs";

let postern, wider, url, ada;
before(async () => {
  [postern, wider] = await Promise.all([deploy({ vars: { LIVENESS_TTL: "0" } }), deploy({ vars: { READ_SCOPE: "api.write" } })]);
  url = `${postern.issuer}/mcp`;
  ada = await person(postern, "ada@example.com");
});
after(() => Promise.all([postern, wider].map((one) => one?.stop())));

const tools = async (client) => (await client.listTools()).tools.map(({ name }) => name);

/** Calls the tool that the server has; never answered from what a client keeps. */
async function works(client) {
  const { isError, structuredContent } = await client.callTool({ name: "whoami", arguments: {} });
  assert.ok(!isError, JSON.stringify(structuredContent));
}
const end = (token, provider) => postern.form("/oauth2/revoke", { token, client_id: provider.information.client_id });

for (const [name, kind] of Object.entries(CLIENTS))
  describe(`the MCP client ${name}`, () => {
    let provider, client;
    before(() => (provider = new Provider(ada, `MCP client ${name}`)));
    after(() => client?.close());

    test("finds all by itself from the 401: registers, sends the person, and has the tools", async () => {
      client = await connect(kind, url, provider);
      const [, , version] = kind;
      if (client.getNegotiatedProtocolVersion) assert.equal(client.getNegotiatedProtocolVersion(), version);
      assert.deepEqual(await tools(client), TOOLS);
      await works(client);
      assert.deepEqual([provider.registered, provider.sent.length, provider.saved], [1, 1, 1]);
    });

    test("asked for what the challenge names, for our resource, with PKCE, and was given a refresh token", () => {
      const asked = Object.fromEntries(provider.sent[0].searchParams);
      assert.deepEqual([asked.resource, asked.code_challenge_method, asked.client_id], [url, "S256", provider.information.client_id]);
      assert.ok(asked.scope.split(" ").includes("api.read"));
      assert.equal(typeof provider.kept.refresh_token, "string");
      assert.ok(provider.kept.scope.split(" ").includes("api.read"));
      assert.equal(claims(provider.kept.access_token).aud, url);
      assert.equal(provider.back.get("iss"), postern.issuer);
    });

    test("refreshes by itself when its access token does not count any more, without the person", async () => {
      const { access_token, refresh_token } = provider.kept;
      assert.equal((await end(access_token, provider)).status, 200);
      await works(client);
      assert.notEqual(provider.kept.access_token, access_token);
      assert.notEqual(provider.kept.refresh_token, refresh_token);
      provider.kept = { ...provider.kept, access_token: "forgotten" };
      await works(client);
      assert.deepEqual([provider.sent.length, provider.registered], [1, 1]);
    });

    test("goes to the person again when its connection was ended, as the same client", async () => {
      await end(provider.kept.refresh_token, provider);
      await client.close();
      client = await connect(kind, url, provider);
      await works(client);
      assert.deepEqual([provider.sent.length, provider.registered, provider.invalidated], [2, 1, ["tokens"]]);
    });

    test("registers again when the server does not know it", async () => {
      const stale = new Provider(ada, `Stale ${name}`);
      const known = await connect(kind, url, stale);
      await known.close();
      stale.information = { ...stale.information, client_id: "cli_00000000000000000000000" };
      stale.kept = { ...stale.kept, access_token: "forgotten" };
      const again = await connect(kind, url, stale);
      await works(again);
      await again.close();
      assert.equal(stale.registered, 2);
    });

    test("is not connected when the person says no", async () => {
      const denied = new Provider(ada, `Denied ${name}`, { answer: "deny" });
      await assert.rejects(connect(kind, url, denied));
      assert.deepEqual([denied.back.get("error"), denied.back.get("iss"), denied.kept], ["access_denied", postern.issuer, undefined]);
    });
  });

describe("a confidential MCP client", () => {
  for (const [name, kind] of Object.entries(CLIENTS))
    for (const token_endpoint_auth_method of ["client_secret_basic", "client_secret_post"])
      test(`${name} with ${token_endpoint_auth_method} connects and refreshes`, async () => {
        const provider = new Provider(ada, `${name} ${token_endpoint_auth_method}`, { metadata: { token_endpoint_auth_method } });
        const client = await connect(kind, url, provider);
        assert.equal(typeof provider.information.client_secret, "string");
        provider.kept = { ...provider.kept, access_token: "forgotten" };
        await works(client);
        assert.equal(provider.sent.length, 1);
        await client.close();
      });
});

for (const name of ["v2 as it comes", "v2 that asks first"]) {
  test(`the MCP client ${name} binds its tokens to a key (DPoP)`, async () => {
    const provider = new Provider(ada, `Bound ${name}`, { dpop: true });
    const client = await connect(CLIENTS[name], url, provider);
    await works(client);
    assert.equal(provider.kept.token_type.toLowerCase(), "dpop");
    assert.ok(claims(provider.kept.access_token).cnf.jkt);
    await end(provider.kept.access_token, provider);
    await works(client); // with new ones
    assert.equal(provider.sent.length, 1);
    await client.close();
  });

  test(`the MCP client ${name} asks for more when a call needs it`, async () => {
    const provider = new Provider(await person(wider, `${name.replaceAll(" ", "-")}@example.com`), `Steps up ${name}`);
    const client = await connect(CLIENTS[name], `${wider.issuer}/mcp`, provider);
    assert.ok(!provider.kept.scope.split(" ").includes("api.write"), provider.kept.scope);
    await assert.rejects(client.callTool({ name: "whoami", arguments: {} }));
    assert.equal(provider.sent.length, 2, "the person is asked once more");
    assert.deepEqual(["api.read", "api.write"].filter((scope) => !provider.sent[1].searchParams.get("scope").split(" ").includes(scope)), []);
    await finish(client.transport, CLIENTS[name][1], provider);
    await works(client);
    assert.equal(provider.registered, 1);
    await client.close();
  });
}
