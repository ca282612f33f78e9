// The tools through both generations of the official MCP client: an agent comes in with nothing, and manages itself.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { call as status, sleep } from "./support/agent.mjs";
import { bearer } from "./support/answers.mjs";
import { address, deploy } from "./support/postern.mjs";

const CLIENTS = {
  "@modelcontextprotocol/sdk": () => [new Client({ name: "t", version: "1" }), StreamableHTTPClientTransport],
  "@modelcontextprotocol/client": () => [new ClientV2({ name: "t", version: "1" }), TransportV2],
  "@modelcontextprotocol/client without a handshake": () => [new ClientV2({ name: "t", version: "1" }, { versionNegotiation: { mode: "auto" } }), TransportV2],
};

let postern;
before(async () => {
  postern = await deploy({ vars: { MCP_OPEN_TOOLS: "on" } });
});
after(() => postern.stop());

async function connected(make, headers) {
  const [client, Transport] = make();
  await client.connect(new Transport(new URL(`${postern.issuer}/mcp`), { requestInit: { headers: { "cf-connecting-ip": address(), ...headers } } }));
  return client;
}

for (const [name, make] of Object.entries(CLIENTS)) {
  test(`${name}: from no token to a key, a token, and back`, async () => {
    const anybody = await connected(make, {});
    const ask = async (client, tool, args = {}) => {
      const { isError, structuredContent } = await client.callTool({ name: tool, arguments: args });
      return { isError, ...structuredContent };
    };
    try {
      // The clients check every answer by the schema that the list has.
      const { tools } = await anybody.listTools();
      assert.ok(tools.length >= 10 && tools.every(({ outputSchema }) => outputSchema));
      assert.equal((await ask(anybody, "discover")).issuer, postern.issuer);
      const { agent, api_key, access_token } = await ask(anybody, "quickstart", { name: "Scout", agent_type: "assistant" });
      assert.equal(await status(postern.issuer, access_token), 200);
      const second = await ask(anybody, "authenticate", { api_key });
      const failed = await ask(anybody, "authenticate", { api_key: "postern_wrong" });
      assert.deepEqual([failed.isError, failed.error], [true, "invalid_client"]);
      const wrong = await ask(anybody, "quickstart", { name: "Scout", agent_type: "robot" });
      assert.deepEqual([wrong.isError, wrong.error], [true, "invalid_request"]);
      assert.equal((await ask(anybody, "whoami", { access_token })).registration_id, agent.id);

      const mine = await connected(make, bearer(access_token));
      await mine.listTools();
      assert.equal((await ask(mine, "whoami")).registration_id, agent.id);
      assert.equal((await ask(mine, "introspect_token", { token: second.access_token })).active, true);
      assert.equal((await ask(mine, "revoke_token", { token: second.access_token })).isError, false);
      await sleep(1100);
      assert.equal((await ask(mine, "introspect_token", { token: second.access_token })).active, false);
      await mine.close();
      const { claim_token } = await ask(anybody, "register", { agent: "Scout" });
      assert.equal((await ask(anybody, "claim", { claim_token, login_hint: "ada@example.com" })).status, "initiated");
      assert.equal((await ask(anybody, "claim_status", { claim_token })).status, "pending");
    } finally {
      await anybody.close();
    }
  });
}
