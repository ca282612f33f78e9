// A client of AgentAuth's REST API, as its documentation has it: paths, parameters, wrapping. It knows nothing else of the server.
import assert from "node:assert/strict";
import { exchange } from "./agent.mjs";
import { page, poll, start } from "./claim.mjs";
import { Browser } from "./person.mjs";
import { address } from "./postern.mjs";

/** Without limits that are about strangers and hurry. */
export const UNHURRIED = { API_PER_MINUTE: "1000000", REGISTRATIONS_PER_NETWORK_PER_HOUR: "100000" };

const AGENT = ["id", "parent_agent_id", "name", "agent_type", "description", "homepage_url", "public_key", "trust_level", "status", "max_child_depth", "metadata", "deactivated_at", "created_at", "updated_at"];
const CREDENTIAL = ["id", "agent_id", "type", "prefix", "scopes", "expires_at", "last_used_at", "last_rotated_at", "revoked_at", "metadata", "token_lifetime_seconds", "created_at", "updated_at", "is_valid"];
const DELEGATION = ["id", "delegator_agent_id", "delegate_agent_id", "scopes", "constraints", "chain_depth", "max_chain_depth", "max_absolute_chain_depth", "chain_depth_remaining", "expires_at", "revoked_at", "created_at", "updated_at", "is_active"];
const TOKEN = ["access_token", "token_type", "expires_in", "scope", "issued_at", "expires_at", "refresh_before"];
const DECISION = ["allowed", "effect", "matching_policy_id", "matching_policy_name", "delegation_id", "reason"];
const AUDIT = ["id", "event_type", "actor_type", "actor_id", "target_type", "target_id", "action", "outcome", "metadata", "created_at"];
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/;

/** All members that AgentAuth's objects have; more do no harm, and times are ISO 8601 in UTC. */
function has(object, names, what) {
  assert.ok(object && typeof object === "object", `${what}: ${JSON.stringify(object)}`);
  assert.deepEqual(names.filter((name) => !(name in object)), [], `${what} lacks members: ${JSON.stringify(object)}`);
  for (const [name, value] of Object.entries(object)) if (name.endsWith("_at") && typeof value === "string") assert.match(value, TIME, `${what}.${name}`);
  return object;
}
export const shapes = {
  agent: (object) => has(object, AGENT, "agent"),
  credential: (object) => has(object, CREDENTIAL, "credential"),
  delegation: (object) => has(object, DELEGATION, "delegation"),
  token: (object) => has(object, TOKEN, "token"),
  decision: (object) => has(object, DECISION, "decision"),
  event: (object) => has(object, AUDIT, "audit event"),
};

/** What the server said, if it is no success. */
export class AgentAuthError extends Error {
  constructor({ status, headers, body, text }, what) {
    super(`${what}: ${status} ${text}`);
    Object.assign(this, { status, headers, body });
  }
}

/** A client with an API key (`X-Agent-Key`), a token (`Authorization: Bearer`), or nothing. */
export class AgentAuth {
  constructor(base, { apiKey, token, ip = address() } = {}) {
    Object.assign(this, { base: base.issuer ?? base, apiKey, token, ip });
  }

  as(credentials) {
    return new AgentAuth(this.base, { ip: this.ip, ...credentials });
  }

  /** One request; any answer. */
  async ask(method, path, { body, query = {}, headers = {}, form } = {}) {
    const sent = { "cf-connecting-ip": this.ip, ...headers };
    if (this.apiKey) sent["x-agent-key"] = this.apiKey;
    if (this.token) sent.authorization = `Bearer ${this.token}`;
    if (body !== undefined) sent["content-type"] = "application/json";
    if (form) sent["content-type"] = "application/x-www-form-urlencoded";
    const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined)).toString();
    const url = `${this.base}${path.startsWith("/.") ? path : `/api/v1${path}`}${search ? `?${search}` : ""}`;
    const response = await fetch(url, { method, headers: sent, redirect: "manual", body: form ? new URLSearchParams(form).toString() : body === undefined ? undefined : JSON.stringify(body) });
    const text = await response.text();
    let parsed = null;
    if (/json/.test(response.headers.get("content-type") ?? "") && !/ndjson/.test(response.headers.get("content-type"))) parsed = text === "" ? null : JSON.parse(text);
    return { status: response.status, headers: response.headers, text, body: parsed };
  }

  /** One request that must be answered with `status`; its body. */
  async must(status, method, path, options) {
    const answer = await this.ask(method, path, options);
    if (answer.status !== status) throw new AgentAuthError(answer, `${method} ${path} is not ${status}`);
    return answer.body;
  }

  discover() {
    return this.must(200, "GET", "/.well-known/agent-configuration");
  }

  async quickstart(fields) {
    const body = await this.must(201, "POST", "/agents/quickstart", { body: { agent_type: "orchestrator", ...fields } });
    has(body, ["agent", "api_key", "api_key_prefix", "token", "message"], "quickstart");
    shapes.agent(body.agent);
    shapes.token(body.token);
    return body;
  }

  bootstrap(fields) {
    return this.must(201, "POST", "/agents/bootstrap", { body: { agent_type: "orchestrator", ...fields } });
  }

  async createAgent(fields, headers) {
    const body = await this.must(201, "POST", "/agents", { body: { agent_type: "assistant", ...fields }, headers });
    has(body.meta, ["message", "is_root", "parent_agent_id"], "meta");
    shapes.agent(body.data);
    return body;
  }

  async listAgents(query) {
    const body = await this.must(200, "GET", "/agents", { query });
    has(body.meta, ["total", "limit", "offset", "parent_agent_id", "status_filter"], "meta");
    body.data.forEach(shapes.agent);
    return body;
  }

  async getAgent(id) {
    const body = await this.must(200, "GET", `/agents/${id}`);
    has(body.meta, ["is_root", "is_active"], "meta");
    shapes.agent(body.data);
    return body;
  }

  updateAgent(id, body) {
    return this.must(200, "PATCH", `/agents/${id}`, { body });
  }

  deleteAgent(id) {
    return this.must(200, "DELETE", `/agents/${id}`);
  }

  async children(id) {
    const body = await this.must(200, "GET", `/agents/${id}/children`);
    has(body.meta, ["total", "parent_agent_id", "parent_name"], "meta");
    return body;
  }

  async agentCredentials(id) {
    const body = await this.must(200, "GET", `/agents/${id}/credentials`);
    has(body.meta, ["credentials_count", "credentials"], "meta");
    body.meta.credentials.forEach((one) => has(one, ["id", "type", "prefix", "created_at", "is_valid"], "credential in brief"));
    return body;
  }

  async createCredential(fields, headers) {
    const body = await this.must(201, "POST", "/credentials", { body: fields, headers });
    has(body, ["credential", "raw_key", "message"], "new credential");
    shapes.credential(body.credential);
    return body;
  }

  async listCredentials(query) {
    const body = await this.must(200, "GET", "/credentials", { query });
    body.data.forEach(shapes.credential);
    return body;
  }

  async getCredential(id) {
    const body = await this.must(200, "GET", `/credentials/${id}`);
    shapes.credential(body.data);
    return body;
  }

  async rotateCredential(id, headers) {
    const body = await this.must(200, "POST", `/credentials/${id}/rotate`, { headers });
    has(body, ["old_credential", "new_credential", "raw_key", "message"], "rotation");
    [body.old_credential, body.new_credential].forEach(shapes.credential);
    return body;
  }

  async revokeCredential(id) {
    const body = await this.must(200, "DELETE", `/credentials/${id}`);
    has(body.meta, ["credential_id", "message"], "meta");
    shapes.credential(body.data);
    return body;
  }

  /** `POST /auth/token` with JSON, or with a form. */
  async grant(fields, { form = false } = {}) {
    const body = await this.must(200, "POST", "/auth/token", form ? { form: fields } : { body: fields });
    assert.equal(body.token_type, "Bearer");
    return shapes.token(body);
  }

  authenticate(client_secret, scope, options) {
    return this.grant({ grant_type: "client_credentials", client_secret, ...(scope === undefined ? {} : { scope }) }, options);
  }

  introspect(token) {
    return this.must(200, "POST", "/auth/token/introspect", { form: { token } });
  }

  revoke(token) {
    return this.must(200, "POST", "/auth/token/revoke", { form: { token } });
  }

  async createDelegation(fields, headers) {
    const body = await this.must(201, "POST", "/delegations", { body: { max_chain_depth: 3, ...fields }, headers });
    shapes.delegation(body.data ?? body);
    return body.data ?? body;
  }

  async listDelegations(query) {
    const body = await this.must(200, "GET", "/delegations", { query });
    body.data.forEach(shapes.delegation);
    return body;
  }

  async chain(id) {
    const body = await this.must(200, "GET", `/delegations/${id}/chain`);
    return has(body.data ?? body, ["delegation_id", "chain", "effective_scopes"], "chain");
  }

  revokeDelegation(id, query) {
    return this.must(200, "DELETE", `/delegations/${id}`, { query });
  }

  async createPolicy(fields) {
    const body = await this.must(201, "POST", "/policies", { body: fields });
    return has(body.data, ["id", "name", "description", "effect", "subjects", "resources", "actions", "conditions", "priority", "enabled", "created_at", "updated_at"], "policy");
  }

  async evaluate(fields) {
    return shapes.decision(await this.must(200, "POST", "/policies/evaluate", { body: fields }));
  }

  async createWebhook(fields) {
    const body = await this.must(201, "POST", "/webhooks", { body: fields });
    const webhook = body.data ?? body;
    return has({ secret: body.secret, ...webhook }, ["id", "url", "events", "secret"], "webhook");
  }

  listWebhooks() {
    return this.must(200, "GET", "/webhooks");
  }

  async webhookLogs(id) {
    return (await this.must(200, "GET", `/webhooks/${id}/logs`)).data;
  }

  async rotateWebhook(id) {
    const body = await this.must(200, "POST", `/webhooks/${id}/rotate`);
    return { secret: body.secret, ...(body.data ?? body) };
  }

  deleteWebhook(id) {
    return this.ask("DELETE", `/webhooks/${id}`);
  }

  async audit(query) {
    const body = await this.must(200, "GET", "/audit/events", { query });
    has(body.meta, ["returned", "limit", "next_cursor"], "meta");
    body.data.forEach(shapes.event);
    return body;
  }

  /** The export: one page of lines, and where it goes on. */
  async exportAudit(query) {
    const answer = await this.ask("GET", "/audit/events", { query: { ...query, export: "ndjson" } });
    if (answer.status !== 200) throw new AgentAuthError(answer, "export");
    assert.match(answer.headers.get("content-type"), /^application\/x-ndjson/);
    const events = answer.text.split("\n").filter((line) => line !== "").map((line) => shapes.event(JSON.parse(line)));
    assert.equal(Number(answer.headers.get("x-total-returned")), events.length);
    return { events, next: answer.headers.get("x-next-cursor") || undefined };
  }
}

/** A refusal that is RFC 9457's, with our code: its body. */
export async function refused(answer, status, error) {
  const { status: got, headers, body, text } = await answer;
  assert.deepEqual([got, body?.error], [status, error], text);
  assert.match(headers.get("content-type"), /^application\/problem\+json/);
  assert.equal(body.status, status);
  for (const name of ["type", "title", "detail"]) assert.equal(typeof body[name], "string", name);
  return body;
}

/** A refusal in the shape of RFC 6749, section 5.2, plain and at the top. */
export async function refusedGrant(answer, status, error) {
  const { status: got, body, text } = await answer;
  assert.deepEqual([got, body?.error], [status, error], text);
  assert.equal(typeof body.error_description, "string");
  assert.equal(body.detail, undefined);
  return body;
}

/** A root with a client that has its key, and one that has a token of it for everything. */
export async function root(base, fields = {}) {
  const anybody = new AgentAuth(base);
  const come = await anybody.quickstart({ name: "Root", ...fields });
  return { ...come, id: come.agent.id, key: anybody.as({ apiKey: come.api_key }), bearer: anybody.as({ token: come.token.access_token }) };
}

const EVERYTHING = ["agents", "credentials", "delegations", "policies", "webhooks"].flatMap((what) => [`${what}.read`, `${what}.write`]).concat("audit.read", "api.read", "api.write").join(" ");

/**
 * A root that a person has taken over, with a client that has a key of afterwards: one of before keeps the rights of before, and those do
 * not have webhooks in them.
 */
export async function claimedRoot(postern, email, fields = {}) {
  const come = await root(postern, fields);
  const { body: started } = await start(postern, { type: "login_hint", claim_token: come.claim_token, login_hint: email });
  const { user_code, verification_uri } = started.claim_attempt;
  const browser = await new Browser(postern).signIn(email);
  await browser.open(page(verification_uri));
  await browser.submit("/agent/identity/claim/complete", { user_code });
  assert.match(browser.html, /Approved/, browser.html);
  const { body: given } = await poll(postern, come.claim_token);
  const { access_token } = await exchange(postern, given.identity_assertion, { scope: EVERYTHING, resource: `${postern.issuer}/api/v1` });
  const { raw_key, credential } = await come.key.as({ token: access_token }).createCredential({ agent_id: come.id });
  const token = await come.key.as({}).authenticate(raw_key);
  const [key, bearer] = [come.key.as({ apiKey: raw_key }), come.key.as({ token: token.access_token })];
  return { ...come, api_key: raw_key, credential, token, key, bearer, before: come.key };
}

/** A child of that root with a key of its own. */
export async function child(parent, fields = {}, credential = {}) {
  const { data } = await parent.key.createAgent({ name: `Child ${Math.random()}`, ...fields });
  const made = await parent.key.createCredential({ agent_id: data.id, ...credential });
  return { agent: data, id: data.id, credential: made.credential, api_key: made.raw_key, key: parent.key.as({ apiKey: made.raw_key }) };
}
