// AgentAuth's thirteen tools and ours through both generations of the official MCP client for TypeScript, which judges every answer by the
// schema that is listed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UNHURRIED, root } from "./support/agentauth.mjs";
import { bearer } from "./support/answers.mjs";
import { listed, manage } from "./support/managed.mjs";
import { address, deploy } from "./support/postern.mjs";

const ME = { name: "test", version: "1" };
const CLIENTS = {
  "@modelcontextprotocol/sdk": () => [new Client(ME), StreamableHTTPClientTransport],
  "@modelcontextprotocol/client": () => [new ClientV2(ME), TransportV2],
  "@modelcontextprotocol/client without a handshake": () => [new ClientV2(ME, { versionNegotiation: { mode: "auto" } }), TransportV2],
};

let postern;
before(async () => {
  postern = await deploy({ vars: { MCP_OPEN_TOOLS: "on", ...UNHURRIED } });
});
after(() => postern?.stop());

async function connected(make, headers = {}) {
  const [client, Transport] = make();
  await client.connect(new Transport(new URL(`${postern.issuer}/mcp`), { requestInit: { headers: { "cf-connecting-ip": address(), ...headers } } }));
  const tools = [];
  let cursor;
  do {
    const page = await client.listTools({ cursor });
    tools.push(...page.tools);
    cursor = page.nextCursor;
  } while (cursor);
  const ask = async (name, args) => {
    const { isError, structuredContent } = await client.callTool({ name, arguments: args });
    return { isError: isError ?? false, ...structuredContent };
  };
  return { client, tools, ask };
}

for (const [name, make] of Object.entries(CLIENTS)) {
  test(`${name}: an orchestrator manages its agents, every token an argument`, async () => {
    const { client, tools, ask } = await connected(make);
    try {
      listed(tools);
      const { secrets } = await manage(ask, postern.issuer);
      for (const { message } of postern.logs) for (const secret of secrets) assert.ok(!message.includes(secret), "a secret is in the log");
    } finally {
      await client.close();
    }
  });

  test(`${name}: the header comes first, and another token beside it is refused`, async () => {
    const [mine, other] = [await root(postern), await root(postern)];
    const { client, ask } = await connected(make, bearer(mine.api_key));
    try {
      assert.equal((await ask("whoami", {})).registration_id, mine.id);
      assert.equal((await ask("list_agents", {})).meta.total, 1);
      assert.equal((await ask("list_agents", { access_token: mine.api_key })).meta.total, 1);
      const both = await ask("list_agents", { access_token: other.api_key });
      assert.deepEqual([both.isError, both.error], [true, "conflicting_credentials"]);
    } finally {
      await client.close();
    }
  });
}
