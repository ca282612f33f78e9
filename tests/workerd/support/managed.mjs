// What an orchestrator does with the tools of /mcp, from nothing to the end, for any client: the same steps for each of them.
import assert from "node:assert/strict";

/** Every tool that manages, with what AgentAuth has. */
export const MANAGING = [
  "discover", "quickstart", "authenticate", "refresh_token", "introspect_token", "revoke_token",
  "create_credential", "rotate_credential", "revoke_credential", "create_delegation", "check_permission", "list_agents", "get_agent",
  "create_agent", "list_delegations", "revoke_delegation", "whoami", "auth_agent",
];

/**
 * All of them in turn. `ask(tool, arguments)` is called without a header, so that every token is an argument, as AgentAuth's clients send
 * it; what it gives is the structured content with `isError`.
 */
export async function manage(ask, issuer) {
  const well = async (tool, args = {}) => {
    const answer = await ask(tool, args);
    assert.ok(!answer.isError, `${tool}: ${JSON.stringify(answer)}`);
    return answer;
  };
  const ill = async (tool, args, codes) => {
    const answer = await ask(tool, args);
    assert.ok(answer.isError && codes.includes(answer.error), `${tool}: ${JSON.stringify(answer)}`);
    assert.ok(answer.hint.length > 10);
    return answer;
  };

  assert.equal((await well("discover")).issuer, issuer);
  const me = await well("quickstart", { name: "Orchestrator", agent_type: "orchestrator", description: "Has others work" });
  const { agent, api_key } = me;
  assert.deepEqual([agent.name, agent.trust_level, me.token_type], ["Orchestrator", "root", "Bearer"]);
  for (const name of ["access_token", "expires_in", "expires_at", "refresh_before"]) assert.ok(name in me, name);

  const { access_token, refresh_token } = await well("authenticate", { api_key });
  const second = await well("refresh_token", { refresh_token_value: refresh_token });
  assert.ok(second.access_token !== access_token && second.refresh_token !== refresh_token && "refresh_before" in second);
  assert.equal((await well("authenticate", { api_key, scopes: ["agents.read"] })).scope, "agents.read");
  await ill("authenticate", { api_key, scopes: ["no.such"] }, ["invalid_scope"]);
  await ill("authenticate", { api_key: "postern_wrong" }, ["invalid_client"]);
  await ill("refresh_token", { refresh_token_value: "wrong" }, ["invalid_grant", "invalid_client"]);
  assert.equal((await well("whoami", { access_token })).registration_id, agent.id);
  assert.equal((await well("introspect_token", { token: access_token })).active, true);
  assert.equal((await well("introspect_token", { token: "garbage" })).active, false);

  const child = await well("create_agent", { name: "Worker", agent_type: "tool", access_token });
  assert.deepEqual([child.parent_agent_id, child.trust_level, child.status], [agent.id, "delegated", "active"]);
  await ill("create_agent", { name: "Worker", agent_type: "tool", access_token }, ["agent_name_conflict"]);
  const { data, meta } = await well("list_agents", { access_token, limit: 10, offset: 0 });
  assert.deepEqual([data.map(({ id }) => id).sort(), meta.total], [[agent.id, child.id].sort(), 2]);
  const seen = await well("get_agent", { agent_id: child.id, access_token });
  assert.deepEqual([seen.id, seen.is_root, seen.is_active], [child.id, false, true]);
  await ill("get_agent", { agent_id: `reg_${"0".repeat(22)}`, access_token }, ["not_found"]);

  const key = await well("create_credential", { agent_id: child.id, scopes: ["api.read"], access_token });
  assert.deepEqual([key.agent_id, key.scopes, typeof key.raw_key], [child.id, ["api.read"], "string"]);
  const next = await well("rotate_credential", { credential_id: key.id, access_token });
  assert.ok(next.old_credential_id === key.id && next.raw_key !== key.raw_key);
  await ill("authenticate", { api_key: key.raw_key }, ["invalid_client"]);
  await well("authenticate", { api_key: next.raw_key });

  const delegation = await well("create_delegation", { delegate_agent_id: child.id, scopes: ["api.read"], access_token, max_chain_depth: 2, expires_in_hours: 1 });
  assert.deepEqual([delegation.delegate_agent_id, delegation.chain_depth, delegation.chain_depth_remaining, delegation.is_active], [child.id, 1, 1, true]);
  const left = Date.parse(delegation.expires_at) - Date.now();
  assert.ok(left > 3_500_000 && left < 3_700_000, delegation.expires_at);
  assert.ok((await well("list_delegations", { access_token })).data.some(({ id }) => id === delegation.id));

  const allowed = await well("check_permission", { agent_id: agent.id, action: "read", resource: "/api/v1/agents", access_token });
  assert.deepEqual([allowed.allowed, allowed.effect], [true, "allow"]);
  const denied = await well("check_permission", { agent_id: child.id, action: "admin", resource: "/nowhere", access_token });
  assert.ok(!denied.allowed && denied.reason.length > 5);

  await well("revoke_delegation", { delegation_id: delegation.id, access_token });
  const signup = await well("auth_agent", { action: "signup", agent_name: "Helper", scopes: ["api.read"], access_token });
  assert.deepEqual([signup.scope, typeof signup.agent_id], ["api.read", "string"]);

  const ended = await well("revoke_credential", { credential_id: next.id, access_token });
  assert.equal(ended.meta.credential_id, next.id);
  await ill("authenticate", { api_key: next.raw_key }, ["invalid_client"]);
  await well("revoke_token", { token: access_token });
  const secrets = [api_key, key.raw_key, next.raw_key, access_token, refresh_token, second.access_token];
  return { agent, child, secrets };
}

/** What every list has to say of each. */
export function listed(tools) {
  const names = tools.map(({ name }) => name);
  assert.deepEqual(MANAGING.filter((name) => !names.includes(name)), []);
  for (const { name, title, description, inputSchema, outputSchema, annotations } of tools) {
    assert.ok(title && description && outputSchema, name);
    assert.equal(inputSchema.type, "object", name);
    for (const hint of ["readOnlyHint", "destructiveHint", "idempotentHint"]) assert.equal(typeof annotations[hint], "boolean", `${name}.${hint}`);
  }
}
