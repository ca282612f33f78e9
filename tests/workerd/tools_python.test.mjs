// AgentAuth's thirteen tools and ours through the official MCP client for Python, in both eras of the protocol.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { UNHURRIED } from "./support/agentauth.mjs";
import { MANAGING, listed, manage } from "./support/managed.mjs";
import { address, deploy } from "./support/postern.mjs";
import { conversation } from "./support/python.mjs";

let postern;
before(async () => {
  postern = await deploy({ vars: { MCP_OPEN_TOOLS: "on", ...UNHURRIED } });
});
after(() => postern?.stop());

for (const [mode, protocol] of [["legacy", "2025-11-25"], ["auto", "2026-07-28"]])
  test(`in mode ${mode}: an orchestrator manages its agents, every token an argument`, async () => {
    // The client asks what to do next; the steps wait for what came of the last.
    let [order, told] = [null, null];
    const next = () => new Promise((resolve) => (order = resolve));
    const used = new Set();
    const ask = (tool, args) =>
      new Promise((resolve) => {
        used.add(tool);
        told = ({ is_error, content }) => resolve({ isError: is_error, ...content });
        order({ tool, arguments: args });
      });
    let steps;
    const answer = (said) => {
      const waiting = next();
      if (said.tools) {
        listed(said.tools);
        steps = manage(ask, postern.issuer).then(() => order({ done: true }), (error) => {
          order({ done: true });
          throw error;
        });
        steps.catch(() => {});
      } else told(said);
      return waiting;
    };
    const { version, called } = await conversation("tools_client.py", { url: `${postern.issuer}/mcp`, mode, address: address() }, answer);
    await steps;
    assert.equal(version, protocol);
    assert.deepEqual(MANAGING.filter((tool) => !used.has(tool)), []);
    assert.ok(called >= MANAGING.length);
  });
