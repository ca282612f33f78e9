// Agents that manage agents, on Postern's release build.
import { collect } from "../load.mjs";
import { bearer, form, get, json, times } from "../requests.mjs";
import { claim } from "./connected.mjs";
import { CLAIM, FASTEST, REGULARS, from, variant } from "./postern.mjs";

/** Agents of one account; a page has at most a hundred of them. */
const AGENTS = 10_000;
const PAGE = 100;
const PROTOCOL = "2026-07-28";

let named = 0;
const comes = () => json("/api/v1/agents/quickstart", { name: `Agent ${(named += 1)}`, agent_type: "orchestrator" }, from());
const keyed = (api_key) => ({ "X-Agent-Key": api_key });

/** So many roots with their keys. */
export const roots = (port, count) => collect(port, times(count, comes));

/** A root that a person has taken over, with a key of afterwards: it may have as many agents as it wants. */
export async function claimedRoot(port, email) {
  const [root] = await roots(port, 1);
  await claim(port, root.claim_token, email);
  // What it had before the claim makes nothing that lasts any more.
  const [token] = await collect(port, [form("/oauth2/token", { grant_type: CLAIM, claim_token: root.claim_token, scope: "agents.read agents.write audit.read credentials.write" })], "access_token");
  const [api_key] = await collect(port, [json("/api/v1/credentials", { agent_id: root.agent.id }, bearer(token))], "raw_key");
  return { ...root, api_key };
}

const child = ({ api_key }, index) => json("/api/v1/agents", { name: `Child ${index}`, agent_type: "tool" }, keyed(api_key));

const POLICIES = [
  { name: "Reports", effect: "allow", subjects: { agent_types: ["tool", "orchestrator"] }, resources: { paths: ["/reports", "/reports/*"] }, actions: ["read"] },
  { name: "No deletes", effect: "deny", subjects: { wildcard: true }, resources: { wildcard: true }, actions: ["delete"] },
  { name: "By day", effect: "allow", subjects: { trust_levels: ["root"] }, resources: { paths: ["/deploy"] }, actions: ["execute"], conditions: { time_window: { start: "08:00", end: "18:00" } } },
];
const policy = ({ api_key }, index) => json("/api/v1/policies", POLICIES[index % POLICIES.length], keyed(api_key));
const question = ({ agent, api_key }) => json("/api/v1/policies/evaluate", { agent_id: agent.id, action: "read", resource: "/reports/2027", scope: "api.read" }, keyed(api_key));

const _meta = { "io.modelcontextprotocol/protocolVersion": PROTOCOL, "io.modelcontextprotocol/clientCapabilities": {} };
const whoami = (token) =>
  json("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "whoami", arguments: {}, _meta } }, {
    ...bearer(token), Accept: "application/json, text/event-stream", "MCP-Protocol-Version": PROTOCOL, "Mcp-Method": "tools/call", "Mcp-Name": "whoami",
  });

/** Another page with each request. */
const list = ({ api_key }, index) => get(`/api/v1/agents?limit=${PAGE}&offset=${(index % (AGENTS / PAGE)) * PAGE}`, keyed(api_key));

/** In a process of its own, for it leaves objects behind: see `posternArrivals`. */
export const posternQuickstart = {
  ...variant(["quickstart"], async ({ port }, seconds) => {
    await roots(port, 300);
    return { quickstart: { prepare: () => times(seconds * FASTEST, comes), once: true, status: 201, expect: "api_key" } };
  }),
  part: "quickstart",
};

export const posternManaged = {
  ...variant(
    ["check-permission", "mcp-whoami", "list-agents"],
    async ({ port }) => {
      const agents = await roots(port, REGULARS);
      await collect(port, agents.flatMap((agent) => POLICIES.map((_, index) => policy(agent, index))));
      const owner = await claimedRoot(port, "owner@example.com");
      await collect(port, times(AGENTS - 1, (index) => child(owner, index)));
      return {
        "check-permission": { requests: agents.map(question), expect: '"allowed":true' },
        "mcp-whoami": { requests: agents.map(({ token }) => whoami(token.access_token)), expect: "registration_id" },
        "list-agents": { requests: times(AGENTS / PAGE, (index) => list(owner, index)), expect: `"total":${AGENTS}` },
      };
    },
    { MAILS_PER_NETWORK_PER_HOUR: "100000", MAILS_PER_HOUR: "1000000" },
  ),
  part: "managed",
};
