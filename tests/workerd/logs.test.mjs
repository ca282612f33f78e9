// The log: one line a request, and never a secret, wherever somebody puts one.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { exchange, keyToken, register, registerKey, until } from "./support/agent.mjs";
import { address, deploy, OPERATOR_KEY, RESOURCE_SERVER_KEY } from "./support/postern.mjs";
import { send } from "./support/wire.mjs";

const POSTERN_SECRET = "the-secret-that-no-log-may-ever-show-0123456789";
const PARAMETERS = ["grant_type", "assertion", "client_id", "client_secret", "scope", "resource", "token", "token_type_hint", "unknown"];
const FORMS = ["/oauth2/token", "/oauth/token", "/token", "/oauth2/introspect", "/oauth2/revoke"];
const BODIES = ["/agent/identity", "/agent/auth", "/api/agent/auth", "/mcp", "/operator/keys/revoke"];
const HEADERS = ["authorization", "content-type", "idempotency-key", "if-none-match", "origin", "mcp-protocol-version", "mcp-method", "mcp-name", "cf-connecting-ip", "cookie", "x-forwarded-for", "user-agent"];
const TARGETS = ["GET /api/v1/auth/me", "GET /operator/keys", "GET /auth.md", "GET /status/0", "POST /mcp", "POST /oauth2/token", "POST /oauth2/introspect", "POST /oauth2/revoke", "POST /agent/identity", "POST /agent/auth", "POST /operator/keys/rotate"];

let postern;
before(async () => (postern = await deploy({ persist: false, vars: { POSTERN_SECRET, REGISTRATIONS_PER_NETWORK_PER_HOUR: "100000" } })));
after(() => postern.stop());

/** Every secret that an agent or operator can hold, spent ones too. */
async function secrets() {
  const idempotency = "an-idempotency-key-is-a-secret-too";
  const { identity_assertion } = await register(postern);
  const { credential } = await registerKey(postern, { "idempotency-key": idempotency });
  const { credential: ended } = await registerKey(postern);
  const tokens = [await exchange(postern, identity_assertion), await keyToken(postern, credential), await keyToken(postern, ended)].map(({ access_token }) => access_token);
  await postern.form("/oauth2/revoke", { token: ended });
  await postern.form("/oauth2/revoke", { token: tokens[0] });
  return [credential, ended, identity_assertion, ...tokens, idempotency, OPERATOR_KEY, RESOURCE_SERVER_KEY];
}

/** What must not be found: the whole, what stands between its dots and underscores, and pieces of it. */
const parts = (secret) => [secret, ...secret.split(/[._]/), ...(secret.match(/.{20}/g) ?? [])].filter((part) => part.length >= 16);

/** Puts one secret wherever a request has room for it. */
async function spill(secret) {
  const mistyped = secret.slice(0, -1) + (secret.endsWith("x") ? "y" : "x");
  const basic = (...pair) => `Basic ${Buffer.from(pair.join(":")).toString("base64")}`;
  const jobs = [];
  const say = (...args) => jobs.push(() => send(postern, ...args).then(({ status }) => assert.ok(status < 500)));
  const form = (path, fields, headers) => say(path, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded", ...headers }, body: new URLSearchParams(fields).toString() });
  const json = (path, body, headers) => say(path, { method: "POST", headers: { "content-type": "application/json", "cf-connecting-ip": address(), ...headers }, body: typeof body === "string" ? body : JSON.stringify(body) });
  for (const path of FORMS) {
    for (const name of PARAMETERS) {
      form(path, { grant_type: "client_credentials", [name]: secret });
      form(path, { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", token: "x", [name]: mistyped });
    }
    form(path, { [secret]: secret });
    form(path, [["token", secret], ["token", secret]]);
    for (const authorization of [`Bearer ${secret}`, secret, `${secret} x`, basic("", secret), basic(secret, ""), basic("api", secret), basic(secret, secret), `Basic ${secret}`]) form(path, { grant_type: "client_credentials", token: secret }, { authorization });
    say(path, { method: "POST", headers: { "content-type": "text/plain" }, body: secret });
  }
  for (const path of BODIES) {
    const authorization = `Bearer ${path.startsWith("/operator") ? OPERATOR_KEY : secret}`;
    for (const name of ["type", "identity_type", "requested_credential_type", "agent", "kid", "assertion", "id", "method", "jsonrpc"]) {
      json(path, { type: "anonymous", requested_credential_type: "api_key", [name]: secret }, { authorization });
      json(path, { type: "anonymous", [name]: { [secret]: secret } }, { authorization });
      json(path, { type: "anonymous", [name]: [secret] }, { authorization });
    }
    for (const email of [secret, `${secret}@mailinator.com`]) json(path, { type: "anonymous", requested_credential_type: "api_key", email }, { authorization });
    json(path, { jsonrpc: "2.0", id: secret, method: "tools/call", params: { name: secret, arguments: { [secret]: secret } } }, { authorization });
    for (const body of [`"${secret}"`, `{"type":"${secret}`, `{"${secret}":1,"${secret}":2}`, secret, `{"type":"anonymous"} ${secret}`]) json(path, body, { authorization });
  }
  for (const target of TARGETS)
    for (const name of HEADERS) {
      const [method, path] = target.split(" ");
      say(path, { method, headers: { [name]: name === "authorization" ? `Bearer ${secret}` : secret } });
      say(path, { method, headers: { [name]: mistyped } });
    }
  for (const path of [`/${secret}`, `/status/${secret}`, `/${secret}/.well-known/oauth-protected-resource`, `/.well-known/${secret}`, `/.well-known/oauth-protected-resource/${secret}`, `/mcp?access_token=${secret}`, `/api/v1/auth/me?access_token=${secret}`, `/oauth2/token?client_secret=${secret}`, `/auth.md?${secret}`]) for (const method of ["GET", "POST"]) say(path, { method });
  const next = jobs.values();
  await Promise.all(Array.from({ length: 16 }, async () => { for (const job of next) await job(); }));
  return jobs.length;
}

describe("the log", () => {
  test("has one line for each request, with what an operator needs", async () => {
    const sent = new Map();
    const note = (route, response) => sent.set(response.headers.get("x-request-id"), [route, response.status]);
    const rows = [
      ["home", () => postern.get("/")],
      ["jwks", () => postern.get("/.well-known/jwks.json")],
      ["health", () => postern.get("/health")],
      ["unknown", () => postern.get("/nowhere")],
      ["me", () => postern.get("/api/v1/auth/me")],
      ["me", () => postern.get("/api/v1/auth/me", { authorization: "Bearer x" })],
      ["identity", () => postern.json("/agent/identity", { type: "anonymous" })],
      ["identity", () => postern.json("/agent/identity", "{")],
      ["register_v01", () => postern.json("/agent/auth", { type: "anonymous" })],
      ["token", () => postern.form("/oauth2/token", { grant_type: "x" })],
      ["introspect", () => postern.form("/oauth2/introspect", { token: "x" })],
      ["revoke", () => postern.form("/oauth2/revoke", { token: "x" })],
      ["mcp", () => postern.json("/mcp", {})],
      ["token", () => fetch(`${postern.issuer}/oauth2/token`, { method: "OPTIONS" })],
      ["identity", () => postern.json("/agent/identity", " ".repeat(70_000))],
    ];
    for (const [route, ask] of rows) note(route, await ask());
    assert.equal(sent.size, rows.length, "every answer has an id of its own");
    const lines = () => postern.lines().filter(({ request_id }) => sent.has(request_id));
    await until(() => lines().length >= rows.length);
    assert.equal(lines().length, rows.length, "one line each");
    for (const line of lines()) {
      const [route, status] = sent.get(line.request_id);
      assert.match(line.request_id, /^[0-9a-f]{16}$/);
      assert.deepEqual([line.event, line.route, line.status], ["request", route, status]);
      assert.ok(Number.isInteger(line.ms) && line.ms >= 0 && line.ms < 10_000);
      assert.ok(["GET", "POST", "OPTIONS"].includes(line.method));
      assert.equal(typeof line.reason, status < 400 ? "object" : "string", JSON.stringify(line));
      assert.equal(line.level, "info");
    }
    assert.equal(lines().filter(({ reason }) => reason?.startsWith("invalid_request: ")).length, 2, "a reason is a code and words");
  });

  test("shows no secret, whoever sends it wherever", async () => {
    const all = await secrets();
    let requests = 0;
    for (const secret of all) requests += await spill(secret);
    await until(() => postern.lines().filter(({ event }) => event === "request").length >= requests);
    const log = JSON.stringify(postern.logs);
    for (const secret of [...all, POSTERN_SECRET]) {
      for (const part of parts(secret)) assert.ok(!log.includes(part), `${part} of ${secret}`);
      for (const encoding of ["base64", "base64url", "hex"]) assert.ok(!log.includes(Buffer.from(secret).toString(encoding).slice(0, 40)), `${secret} as ${encoding}`);
    }
    assert.ok(postern.lines().every(({ status }) => status === undefined || status < 500));
    assert.deepEqual(postern.lines().filter(({ event }) => event !== "request"), []);
    assert.deepEqual(postern.logs.filter(({ message }) => !message.startsWith("{")), []);
  });
});
