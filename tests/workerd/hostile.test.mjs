// Whatever is sent, the answer is decent: never a 5xx, never silence, and JSON where an agent reads.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, exchange, register, registerKey } from "./support/agent.mjs";
import { deploy, OPERATOR_KEY } from "./support/postern.mjs";
import { raw, send } from "./support/wire.mjs";

const POST = ["/agent/identity", "/agent/auth", "/api/agent/auth", "/oauth2/token", "/oauth/token", "/token", "/oauth2/introspect", "/oauth2/revoke", "/mcp", "/operator/keys/rotate", "/operator/keys/revoke"];
const GET = ["/", "/auth.md", "/llms.txt", "/robots.txt", "/style.css", "/icon.svg", "/health", "/ready", "/api/v1/auth/me", "/operator/keys", "/status/0", "/.well-known/jwks.json", "/.well-known/security.txt", "/.well-known/agent-configuration", "/.well-known/oauth-protected-resource/mcp", "/api/v1/.well-known/oauth-authorization-server"];
const JSON_TYPES = ["application/json", "application/problem+json"];

let postern, held;
before(async () => {
  postern = await deploy({ persist: false, vars: { REGISTRATIONS_PER_NETWORK_PER_HOUR: "100000" } });
  const { identity_assertion } = await register(postern);
  const { credential } = await registerKey(postern);
  const { access_token } = await exchange(postern, identity_assertion);
  held = { identity_assertion, credential, access_token, operator: OPERATOR_KEY };
});
after(() => postern.stop());

/** 1xx to 4xx; whatever is not 200 and has a body is JSON. */
function decent({ status, headers, body }, what) {
  assert.ok(status >= 200 && status < 500, `${status} for ${what}: ${body}`);
  if (status === 200 || body === "") return;
  assert.ok(JSON_TYPES.includes(headers["content-type"]), `${headers["content-type"]} for ${what}`);
  const { error, hint, detail, jsonrpc } = JSON.parse(body);
  assert.ok(jsonrpc === "2.0" || (error && (hint || detail)), `${body} for ${what}`);
}

/** What workerd refuses by itself never reaches the worker, and has no request id. */
const platform = ({ status, headers }) => status === 400 && !headers["x-request-id"];

/** The worker never failed, lost an object or said something that is no log line; and it still works. */
async function unharmed() {
  const events = postern.lines().filter(({ event }) => event !== "request");
  assert.deepEqual(events, []);
  assert.deepEqual(postern.logs.filter(({ message }) => !message.startsWith("{")).map(({ message }) => message), []);
  assert.equal(await call(postern.issuer, (await registerKey(postern)).credential), 200);
  assert.equal(await call(postern.issuer, held.access_token), 200);
}

describe("a path", () => {
  const PATHS = ["/%00", "/mcp%00", "/%ff", "/%c3%28", "/%", "/%zz", "/%2e%2e/mcp", "/mcp%2f..%2foperator%2fkeys", "//", "//mcp", "///", "/..", "/../../etc/passwd", "/./", "/mcp/", "/MCP", "/mcp//", "/mcp;a=b", "/Oauth2/Token", "/oauth2/token/", "/oauth2//token", "/\\mcp", "/..\\mcp", "/:80", "/@evil", "/status/", "/status/-1", "/status/01", "/status/4294967296", "/status/99999999999999999999", "/status/1e9", "/status/NaN", "/api/v1", "/api/v1/", "/api/v1/auth", "/operator", "/operator/keys/", "/.env", "/.git/config", "/?", "/mcp?access_token=x", "/\u00e9".normalize(), "/" + "a".repeat(8000), "/" + "a/".repeat(4000), "/" + "%61".repeat(2000), "/\x7f", "/ ", "/a b", "/\xff\xfe", "/<script>", "/'\"", "/.well-known/oauth-protected-resource/%2e%2e/mcp", "/.well-known/oauth-protected-resource//mcp", "/.well-known//oauth-protected-resource", "http://other.example/health", "http://other.example"];
  test("of any bytes is answered by 404 or better, by every method, in JSON", async () => {
    for (const path of PATHS)
      for (const method of ["GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE"]) {
        const answer = await raw(postern, Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, "latin1"));
        if (!platform(answer)) decent(answer, `${method} ${path.slice(0, 80)}`);
      }
    const nul = await raw(postern, "GET /he\0alth HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert.ok(nul.status < 500);
  });

  test("has one spelling: case, slashes and encodings are other paths", async () => {
    for (const path of ["/MCP", "/mcp/", "//mcp", "/mcp%2f", "/%6dcp", "/Agent/Identity", "/agent/identity/", "/oauth2/token/", "/api/v1/auth/me/", "/health/", "/operator/keys/"])
      for (const method of ["GET", "POST"]) assert.equal((await raw(postern, `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)).status, 404, path);
  });

  for (const path of [...GET, ...POST])
    test(`that is there takes its own methods and names them: ${path}`, async () => {
      const own = POST.includes(path) ? "POST, OPTIONS" : "GET, HEAD, OPTIONS";
      const authorization = path.startsWith("/operator") ? `Bearer ${held.operator}` : `Bearer ${held.access_token}`;
      for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "LOCK", "PURGE", "SEARCH"]) {
        if (own.includes(method)) continue;
        const answer = await send(postern, path, { method, headers: { authorization }, body: method === "HEAD" ? undefined : "x" });
        assert.deepEqual([answer.status, answer.headers.allow], [405, own], `${method} ${path}`);
        decent(answer, `${method} ${path}`);
      }
      const options = await send(postern, path, { method: "OPTIONS" });
      assert.deepEqual([options.status, options.headers.allow, options.body], [204, own, ""]);
    });
});

describe("a header", () => {
  const NAMES = ["authorization", "content-type", "idempotency-key", "if-none-match", "origin", "mcp-protocol-version", "mcp-method", "mcp-name", "cf-connecting-ip", "accept", "cookie", "x-forwarded-for", "content-encoding", "expect", "range"];
  const VALUES = ["", " ", "\t", ",", "*", '"', "a".repeat(100_000), "\xff\xfe\xfd".repeat(10), "\xc3\xa9", "Bearer", "Bearer ", "Bearer  ", "Bearer a b", "Bearer \xff", `Bearer ${"x".repeat(60_000)}`, `Bearer ${"a.".repeat(20_000)}`, "Bearer ..", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.", "Basic", "Basic ====", "Basic /w==", "Basic AAAA", "Basic Og==", `Basic ${Buffer.from("\0:\0").toString("base64")}`, `Basic ${"A".repeat(60_000)}`, "Digest a=b", "=?base64?//8=?=", "=?base64?", "application/json; charset=utf-16", "application/json;".repeat(2000), "::ffff:999.1.1.1", '{"a":1}', "%00", "bytes=0-1"];
  test("of any value changes no answer into a 5xx", async () => {
    const targets = ["GET /api/v1/auth/me", "GET /auth.md", "POST /oauth2/token", "POST /agent/identity", "POST /mcp", "POST /oauth2/revoke", "GET /operator/keys"];
    const body = '{"type":"anonymous"}';
    for (const name of NAMES)
      await Promise.all(
        VALUES.flatMap((value) =>
          targets.map(async (target) => {
            const text = `${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\nConnection: close\r\n${name}: ${value}\r\n\r\n${body}`;
            const answer = await raw(postern, Buffer.from(text, "latin1"));
            if (!platform(answer)) decent(answer, `${target} ${name}: ${value.slice(0, 60)}`);
          }),
        ),
      );
  });

  test("that comes twice, or with a NUL, does no harm either", async () => {
    for (const name of NAMES) {
      const twice = `POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n${name}: Bearer ${held.access_token}\r\n${name}: Bearer ${held.credential}\r\n\r\n`;
      decent(await raw(postern, twice), `two of ${name}`);
      const nul = await raw(postern, `GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${name}: a\0b\r\n\r\n`);
      assert.ok(nul.status < 500);
    }
  });

  test("Authorization that comes twice is refused", async () => {
    const answer = await raw(postern, `GET /api/v1/auth/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${held.access_token}\r\nAuthorization: Bearer ${held.access_token}\r\n\r\n`);
    assert.equal(answer.status, 401);
  });
});

describe("a body", () => {
  const deep = (open, close, levels) => open.repeat(levels) + close.repeat(levels);
  const BODIES = {
    "30,000 levels of arrays": deep("[", "]", 30_000),
    "10,000 levels of objects": deep('{"a":', "}", 10_000).replace(":}", ":1}"),
    "30,000 levels inside a field": `{"type":"anonymous","kid":"x","x":${deep("[", "]", 30_000)}}`,
    "30,000 levels inside a known field": `{"type":${deep("[", "]", 30_000)},"kid":${deep("[", "]", 1000)}}`,
    "30,000 levels of MCP arguments": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami","arguments":${deep("[", "]", 20_000)}}}`,
    "60,000 levels never closed": "[".repeat(60_000),
    "broken UTF-8": Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0xc0, 0x22, 0x3a, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x7d]),
    "nothing but NUL": Buffer.alloc(1000),
    "NUL in words": 'grant_type=a%00b&token=%00&type="\0"',
    "broken percent-encoding": "grant_type=%&token=%zz&assertion=%f",
    "UTF-8 broken by percent-encoding": "grant_type=%ff%fe&token=%c0%80",
    "1,000 parameters": Array.from({ length: 1000 }, (_, index) => `p${index}=1`).join("&"),
    "a parameter of 60,000 characters": `grant_type=client_credentials&client_secret=${"x".repeat(60_000)}&token=${"y".repeat(100)}`,
    "a number beyond all numbers": `{"type":1e999999,"id":${"9".repeat(5000)},"jsonrpc":"2.0","method":"ping"}`,
    "10,000 fields": `{${Array.from({ length: 5000 }, (_, index) => `"f${index}":0`).join(",")}}`,
    "lone surrogates": String.raw`{"type":"\ud800","email":"\udfff@example.com","kid":"\ud800"}`,
  };
  for (const [what, body] of Object.entries(BODIES))
    test(`of ${what} is refused or ignored, everywhere and by every media type`, async () => {
      for (const path of POST)
        for (const type of ["application/json", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"]) {
          const authorization = path.startsWith("/operator") ? held.operator : path === "/mcp" ? held.access_token : undefined;
          const headers = { "content-type": type, ...(authorization && { authorization: `Bearer ${authorization}` }) };
          const answer = await send(postern, path, { method: "POST", headers, body });
          decent(answer, `${path} as ${type}`);
        }
    });

  test("that breaks off is answered, not waited for", async () => {
    for (const path of POST)
      for (const head of ["Content-Length: 100", "Transfer-Encoding: chunked"]) {
        const answer = await raw(postern, `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${head}\r\n\r\n5\r\n{"ty`, { end: true });
        assert.ok(answer.status < 500, `${answer.status} for ${path}`);
      }
  });
});

test("after all that the worker has not once failed, and works", unharmed);
