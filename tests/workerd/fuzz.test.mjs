// Two thousand requests put together by chance, always by the same: none may break anything.
import assert from "node:assert/strict";
import { test } from "node:test";
import { call, exchange, register, registerKey } from "./support/agent.mjs";
import { deploy, OPERATOR_KEY, RESOURCE_SERVER_KEY, ROUNDS } from "./support/postern.mjs";
import { send } from "./support/wire.mjs";

const PATHS = ["/agent/identity", "/agent/auth", "/api/agent/auth", "/oauth2/token", "/oauth/token", "/token", "/oauth2/introspect", "/oauth2/revoke", "/mcp", "/operator/keys", "/operator/keys/rotate", "/operator/keys/revoke", "/api/v1/auth/me", "/status/0", "/status/7", "/health", "/ready", "/", "/auth.md", "/llms.txt", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/mcp/.well-known/oauth-protected-resource", "/.well-known/openid-configuration", "/nowhere"];
const READ = /^\/($|operator\/keys$|api\/v1|status|health|ready|auth\.md|llms|nowhere|.*\.well-known)/;
const METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"];
const TYPES = ["application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded;charset=x", "text/plain", "", "a", "application/json, application/json", "\xff/\xfe"];
const NAMES = ["grant_type", "assertion", "client_id", "client_secret", "scope", "resource", "token", "token_type_hint", "type", "identity_type", "requested_credential_type", "email", "agent", "kid", "jsonrpc", "id", "method", "params", "login_hint"];
const HEADERS = ["authorization", "idempotency-key", "if-none-match", "origin", "mcp-protocol-version", "mcp-method", "mcp-name", "cf-connecting-ip", "accept", "cookie", "x-forwarded-for"];
const NASTY = ["", " ", "\0", "\r\n", "'\"<>", "\u202e", "\ud800", "é", "😀", "%00", "%ff", "%", "..", "../..", "null", "true", "-1", "0", "1e999", "9".repeat(40), "__proto__", "constructor", "a".repeat(300), "a.b.c", "..", "*", "W/\"x\""];

/** mulberry32 */
function chance(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  return { below, pick: (list) => list[below(list.length)], maybe: (odds) => next() < odds };
}

/** Some bytes of a text changed, lost, doubled or put in. */
function mutated(text, { below, maybe }) {
  const bytes = [...Buffer.from(text)];
  for (let times = below(4); times > 0; times -= 1) {
    const at = below(bytes.length + 1);
    if (maybe(0.3)) bytes.splice(at, 1 + below(8));
    else if (maybe(0.3)) bytes.splice(at, 0, ...bytes.slice(at, at + below(64)));
    else bytes.splice(at, maybe(0.5) ? 1 : 0, below(256));
  }
  return Buffer.from(bytes);
}

function request(dice, words) {
  const { below, pick, maybe } = dice;
  const word = () => (maybe(0.7) ? pick(words) : pick(NASTY));
  const value = (depth = 0) => {
    if (depth < 5 && maybe(0.2)) return Array.from({ length: below(4) }, () => value(depth + 1));
    if (depth < 5 && maybe(0.2)) return Object.fromEntries(Array.from({ length: below(5) }, () => [maybe(0.7) ? pick(NAMES) : pick(NASTY), value(depth + 1)]));
    return maybe(0.7) ? word() : pick([null, true, 0, -1, 1.5, 1e308, ""]);
  };
  const sensible = { type: "anonymous", requested_credential_type: "api_key", grant_type: pick(words), client_secret: word(), assertion: word(), token: word() };
  const fields = [...Object.entries(sensible).filter(() => maybe(0.6)), ...Array.from({ length: below(5) }, () => [pick(NAMES), value(2)])];
  const bodies = [
    () => JSON.stringify(Object.fromEntries(fields)),
    () => new URLSearchParams(fields.map(([name, field]) => [name, String(field).toWellFormed()])).toString(),
    () => JSON.stringify({ jsonrpc: "2.0", id: value(), method: pick(["initialize", "ping", "tools/list", "tools/call", "server/discover", word()]), params: maybe(0.7) ? { name: word(), arguments: value() } : value() }),
    () => String.fromCharCode(...Array.from({ length: below(2000) }, () => below(256))),
    () => pick(["[", "{", '{"a":', "("]).repeat(below(15_000)),
    () => "",
  ];
  const header = () => Buffer.from(maybe(0.5) ? `${pick(["Bearer", "Basic", "bearer", "Digest", ""])} ${word()}` : word()).toString("latin1").replace(/[\0-\x08\x0a-\x1f\x7f]/g, "?");
  let path = pick(PATHS);
  const json = /^\/(api\/)?(agent|mcp|operator)/.test(path);
  const body = (maybe(0.7) ? bodies[path === "/mcp" ? 2 : json ? 0 : 1] : pick(bodies))();
  const headers = { "content-type": maybe(0.85) ? TYPES[json ? 0 : 2] : pick(TYPES), ...Object.fromEntries(Array.from({ length: below(5) }, () => [pick(HEADERS), header()])) };
  if (maybe(0.1)) headers.authorization = `Basic ${mutated(`${word()}:${word()}`, dice).toString("base64")}`;
  if (maybe(0.6) && /^\/(mcp|api\/v1|operator|oauth2\/introspect)/.test(path)) headers.authorization = `Bearer ${path.startsWith("/operator") ? OPERATOR_KEY : words[2]}`;
  const method = maybe(0.85) ? (READ.test(path) ? "GET" : "POST") : pick(METHODS);
  if (maybe(0.15)) path = mutated(path, dice).toString("latin1").replace(/[^\x21-\x7e]/g, (bad) => `%${bad.charCodeAt(0).toString(16).padStart(2, "0")}`);
  if (maybe(0.1)) path += `?${encodeURI(pick(NAMES))}=${encodeURIComponent(String(word()).toWellFormed())}`;
  return { method, path: `/${path.replace(/^\//, "")}`, headers, body: maybe(0.5) ? mutated(body, dice) : Buffer.from(body) };
}

test("requests put together by chance are all answered, none with a 5xx, all in JSON that are not documents", async () => {
  const postern = await deploy({ persist: false });
  try {
    const { identity_assertion } = await register(postern);
    const { credential, registration_id } = await registerKey(postern);
    const { access_token } = await exchange(postern, identity_assertion);
    const words = [identity_assertion, credential, access_token, registration_id, OPERATOR_KEY, RESOURCE_SERVER_KEY, "api", "anonymous", "api_key", "client_credentials", "urn:ietf:params:oauth:grant-type:jwt-bearer", "api.read", "api.read api.write", `${postern.issuer}/mcp`, "a-key-of-the-fuzz-tests", "2.0", "2025-06-18", "2026-07-28", "whoami", "tools/call", "10.1.2.3", "access_token"];
    const dice = chance(20261122);
    const requests = Array.from({ length: 400 * ROUNDS }, () => request(dice, words));
    const seen = {};
    const next = requests.entries();
    const worker = async () => {
      for (const [index, { path, ...rest }] of next) {
        const what = `${index}: ${rest.method} ${path} ${JSON.stringify(rest.headers)} ${rest.body.toString("latin1").slice(0, 300)}`;
        const { status, headers, body } = await send(postern, path, rest).catch((error) => assert.fail(`${error.message}: ${what}`));
        assert.ok(status >= 200 && status < 500, `${status}: ${what}`);
        seen[status] = (seen[status] ?? 0) + 1;
        const ours = headers["x-request-id"]; // workerd refuses some by itself
        if (ours && status >= 300 && body !== "") assert.ok(/^application\/(problem\+)?json$/.test(headers["content-type"]) && JSON.parse(body), what);
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    for (const status of [200, 204, 400, 401, 404, 405, 415]) assert.ok(seen[status] > 5, `${status}: ${JSON.stringify(seen)}`);
    assert.deepEqual(postern.logs.filter(({ message }) => !message.startsWith("{")).map(({ message }) => message), []);
    assert.deepEqual(postern.lines().filter(({ event }) => event !== "request"), []);
    assert.equal(await call(postern.issuer, (await registerKey(postern)).credential), 200, "and afterwards all is well");
  } finally {
    await postern.stop();
  }
});
