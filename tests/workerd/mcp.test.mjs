// /mcp on the wire: both protocol eras without sessions, every fault with its code and status.
import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";
import { exchange, register } from "./support/agent.mjs";
import { bearer, read } from "./support/answers.mjs";
import { deploy } from "./support/postern.mjs";
import { TOOLS } from "./support/tools.mjs";

const MODERN = "2026-07-28";
const LEGACY = ["2025-11-25", "2025-06-18", "2025-03-26"];
const ALL = [MODERN, ...LEGACY];
let postern, token, id;
before(async () => {
  postern = await deploy({ vars: { ALLOWED_ORIGINS: "https://app.example", SERVICE_NAME: "The Gate" } });
  const mine = await register(postern);
  ({ registration_id: id } = mine);
  token = (await exchange(postern, mine.identity_assertion)).access_token;
});
after(() => postern.stop());

const send = (message, headers = {}) => read(postern.json("/mcp", message, { ...bearer(token), accept: "application/json, text/event-stream", ...headers }));
const meta = (changes = {}) => {
  const fields = { "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}, ...changes };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
};
const call = (method, params = {}, number = 1) => ({ jsonrpc: "2.0", id: number, method, params: { _meta: meta(), ...params } });
const named = (message, changes = {}) => {
  const headers = { "mcp-protocol-version": MODERN, "mcp-method": message.method, "mcp-name": message.params?.name, ...changes };
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
};
const modern = (method, params, changes) => {
  const message = call(method, params);
  return send(message, named(message, changes));
};
const legacy = (method, params, headers) => send({ jsonrpc: "2.0", id: 1, method, ...(params ? { params } : {}) }, headers);
const WHOAMI = { name: "whoami", arguments: {} };

function fault({ status, headers, body, text }, expected, code, number = 1) {
  assert.deepEqual([status, body?.error?.code], [expected, code], text);
  assert.deepEqual([body.jsonrpc, body.id, body.result], ["2.0", number, undefined]);
  assert.equal(typeof body.error.message, "string");
  assert.equal(headers.get("content-type"), "application/json");
  return body.error;
}

function result({ status, headers, body, text }, number = 1) {
  assert.equal(status, 200, text);
  assert.deepEqual([body.jsonrpc, body.id, body.error], ["2.0", number, undefined]);
  assert.equal(headers.get("content-type"), "application/json");
  assert.equal(headers.get("mcp-session-id"), null);
  return body.result;
}

describe("the stateless era", () => {
  const complete = (answer) => {
    const { resultType, _meta, ...rest } = result(answer);
    assert.equal(resultType, "complete");
    assert.deepEqual([_meta["io.modelcontextprotocol/serverInfo"].name, _meta["io.modelcontextprotocol/serverInfo"].title], ["postern", "The Gate"]);
    return rest;
  };

  test("discovers versions and capabilities, and promises nothing that is not there", async () => {
    const { supportedVersions, capabilities, ttlMs, cacheScope } = complete(await modern("server/discover"));
    assert.deepEqual([supportedVersions, capabilities], [ALL, { tools: {} }]);
    assert.ok(Number.isInteger(ttlMs) && ttlMs >= 0 && ["public", "private"].includes(cacheScope));
  });

  test("lists its tools the same every time, and calls whoami", async () => {
    const lists = [];
    for (let time = 0; time < 3; time += 1) lists.push(complete(await modern("tools/list")));
    const [{ tools, ttlMs, cacheScope }] = lists;
    for (const list of lists) assert.deepEqual(list, lists[0]);
    assert.ok(ttlMs >= 0 && cacheScope);
    assert.deepEqual(tools.map(({ name }) => name), TOOLS);
    for (const { inputSchema, outputSchema } of tools) assert.deepEqual([inputSchema.type, outputSchema.type], ["object", "object"]);
    const { outputSchema } = tools.find(({ name }) => name === "whoami");
    const { content, structuredContent, isError } = complete(await modern("tools/call", WHOAMI));
    assert.deepEqual([isError, structuredContent.registration_id, structuredContent.audience], [false, id, `${postern.issuer}/mcp`]);
    assert.deepEqual(JSON.parse(content[0].text), structuredContent);
    for (const field of outputSchema.anyOf[0].required) assert.ok(field in structuredContent, field);
  });

  test("a request without its protocol metadata is refused: -32602", async () => {
    for (const params of [{ _meta: undefined }, { _meta: {} }, { _meta: meta({ "io.modelcontextprotocol/clientCapabilities": undefined }) }, { _meta: meta({ "io.modelcontextprotocol/clientCapabilities": "x" }) }]) {
      fault(await modern("tools/list", params), 400, -32602);
    }
    assert.ok(complete(await modern("tools/list", { _meta: meta({ "io.modelcontextprotocol/clientInfo": undefined }) })));
  });

  test("a header that is missing or differs from the body is refused: -32020", async () => {
    for (const changes of [{ "mcp-protocol-version": undefined }, { "mcp-protocol-version": "2025-11-25" }, { "mcp-method": undefined }, { "mcp-method": "tools/call" }, { "mcp-method": "Tools/List" }]) {
      fault(await modern("tools/list", {}, changes), 400, -32020);
    }
    for (const changes of [{ "mcp-name": undefined }, { "mcp-name": "other" }, { "mcp-name": "WHOAMI" }, { "mcp-name": "=?base64?b3RoZXI=?=" }, { "mcp-name": "=?base64?!?=" }]) {
      fault(await modern("tools/call", WHOAMI, changes), 400, -32020);
    }
    for (const changes of [{ "mcp-name": "=?base64?d2hvYW1p?=" }, { "MCP-NAME": "whoami", "mcp-name": undefined }]) complete(await modern("tools/call", WHOAMI, changes));
  });

  test("spaces around a header's value do not count", async () => {
    const message = call("tools/list");
    const body = JSON.stringify(message);
    const headers = { ...bearer(token), "content-type": "application/json", "mcp-protocol-version": `  ${MODERN} `, "mcp-method": " tools/list  " };
    const status = await new Promise((resolve, reject) => {
      request(`${postern.issuer}/mcp`, { method: "POST", headers }, (answer) => answer.resume().on("end", () => resolve(answer.statusCode))).on("error", reject).end(body);
    });
    assert.equal(status, 200);
  });

  test("a version that is not spoken is refused and told what is: -32022", async () => {
    for (const version of ["2099-01-01", "x", "2024-11-05"]) {
      const { data } = fault(await modern("tools/list", { _meta: meta({ "io.modelcontextprotocol/protocolVersion": version }) }, { "mcp-protocol-version": version }), 400, -32022);
      assert.deepEqual(data, { supported: ALL, requested: version });
    }
  });

  test("an unknown or removed method is not found: 404 and -32601", async () => {
    for (const method of ["nothing", "initialize", "ping", "logging/setLevel", "resources/subscribe", "tools/list/", "Tools/list", "subscriptions/listen", "resources/list", "prompts/list"]) fault(await modern(method), 404, -32601);
  });
});

describe("the eras with a handshake", () => {
  test("greet in the version that is asked for, else in the newest, and make no session", async () => {
    for (const [asked, given] of [...LEGACY.map((version) => [version, version]), ["2024-11-05", LEGACY[0]], ["x", LEGACY[0]], [MODERN, LEGACY[0]], [undefined, LEGACY[0]]]) {
      const { protocolVersion, capabilities, serverInfo } = result(await legacy("initialize", { protocolVersion: asked, capabilities: {}, clientInfo: { name: "t", version: "1" } }));
      assert.deepEqual([protocolVersion, capabilities, serverInfo.name], [given, { tools: {} }, "postern"], asked);
    }
    const { status, text, headers } = await send({ jsonrpc: "2.0", method: "notifications/initialized" }, { "mcp-protocol-version": LEGACY[0] });
    assert.deepEqual([status, text, headers.get("mcp-session-id")], [202, "", null]);
  });

  test("list and call with the version in a header, or without one, whatever session is named", async () => {
    for (const headers of [{}, ...LEGACY.map((version) => ({ "mcp-protocol-version": version })), { "mcp-session-id": "x", "last-event-id": "1" }]) {
      const { tools, resultType } = result(await legacy("tools/list", undefined, headers));
      assert.deepEqual([tools.map(({ name }) => name), resultType], [TOOLS, undefined]);
      assert.equal(result(await legacy("tools/call", WHOAMI, headers)).structuredContent.registration_id, id);
      assert.deepEqual(result(await legacy("ping", undefined, headers)), {});
    }
  });

  test("refuse a version that is not spoken, metadata of another era, and a method that does not exist", async () => {
    for (const version of ["2099-01-01", "x"]) assert.equal((await legacy("tools/list", undefined, { "mcp-protocol-version": version })).status, 400);
    fault(await legacy("tools/list", { _meta: meta() }, { "mcp-protocol-version": LEGACY[0] }), 400, -32020);
    for (const method of ["nothing", "server/discover", "resources/list"]) fault(await legacy(method), 200, -32601);
  });
});

describe("one message", () => {
  test("is answered under its own id, of whatever kind that is", async () => {
    for (const number of [0, -1, 1, 9007199254740991, "0", "", "\u2603 \" \\", "x".repeat(200)]) {
      result(await send({ jsonrpc: "2.0", id: number, method: "tools/list" }), number);
      const message = call("nothing", {}, number);
      fault(await send(message, named(message)), 404, -32601, number);
    }
  });

  test("is one object of JSON-RPC 2.0: no batch, no null for an id, no answer", async () => {
    fault(await send("{"), 400, -32700, null);
    fault(await send(""), 400, -32700, null);
    fault(await send("[".repeat(50_000)), 400, -32700, null);
    fault(await send(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])), 400, -32700, null);
    const good = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    for (const batch of [[good], [good, good]]) fault(await send(JSON.stringify(batch), { "mcp-protocol-version": LEGACY[0] }), 400, -32600, null);
    const { status, body } = await send([good, { ...good, id: 2 }, { jsonrpc: "2.0", method: "notifications/initialized" }], { "mcp-protocol-version": "2025-03-26" });
    assert.deepEqual([status, body.map(({ id, result }) => [id, result.tools.length])], [200, [[1, TOOLS.length], [2, TOOLS.length]]], "the one version that has batches");
    for (const bad of [[], null, 1, "x", { ...good, jsonrpc: "1.0" }, { id: 1, method: "tools/list" }, { ...good, method: 1 }, { ...good, id: null }, { ...good, id: {} }, { ...good, id: true }, { jsonrpc: "2.0", id: 1 }, { jsonrpc: "2.0", id: 1, result: {} }]) {
      fault(await send(JSON.stringify(bad)), 400, -32600, null);
    }
    fault(await send({ ...good, params: [] }), 400, -32602);
    fault(await send({ ...good, params: "x" }), 400, -32602);
  });

  test("that is a notification is accepted without a word, or refused", async () => {
    for (const method of ["notifications/initialized", "notifications/cancelled", "notifications/unknown"]) {
      const { status, text } = await send({ jsonrpc: "2.0", method });
      assert.deepEqual([status, text], [202, ""], method);
    }
    const message = { jsonrpc: "2.0", method: "notifications/cancelled", params: { _meta: meta(), requestId: 1 } };
    assert.equal((await send(message, named(message))).status, 202);
    for (const headers of [{ "mcp-protocol-version": "2099-01-01" }, named(message, { "mcp-method": "tools/list" }), named(message, { "mcp-protocol-version": LEGACY[0] })]) {
      assert.equal((await send(message, headers)).status, 400, JSON.stringify(headers));
    }
  });

  test("names a tool that exists and arguments that it takes, else -32602", async () => {
    for (const params of [{ name: "nothing", arguments: {} }, { name: "", arguments: {} }, { arguments: {} }, { name: 1 }, { name: "whoami", arguments: "x" }]) {
      const answer = await legacy("tools/call", params);
      assert.equal(answer.body.error.code, -32602, answer.text);
    }
    const { isError, structuredContent } = result(await legacy("tools/call", { name: "whoami", arguments: { a: 1 } }));
    assert.deepEqual([isError, structuredContent.error], [true, "invalid_request"], "what a model can correct is a result");
    assert.ok(result(await legacy("tools/call", { name: "whoami" })));
  });

  test("comes as JSON and is short", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) assert.equal((await send({}, { "content-type": type })).status, 415, type);
    result(await legacy("tools/list", undefined, { "content-type": "Application/JSON; charset=utf-8" }));
    result(await legacy("tools/list", undefined, { accept: "application/json" }));
    fault(await legacy("tools/list", undefined, { accept: "text/html" }), 406, -32600, null);
    assert.equal((await send({ jsonrpc: "2.0", id: 1, method: "x".repeat(70_000) })).status, 413);
  });
});

describe("the door", () => {
  test("needs a token for what is not open to all, in both eras, a notification too, and no bad one for anything", async () => {
    const open = [call("tools/list"), call("tools/call", { name: "discover", arguments: {} }), { jsonrpc: "2.0", id: 1, method: "ping" }];
    for (const message of open) assert.equal((await read(postern.json("/mcp", message, message.params ? named(message) : {}))).status, 200, JSON.stringify(message));
    const closed = [call("server/discover"), call("tools/call", WHOAMI), { jsonrpc: "2.0", id: 1, method: "initialize" }, { jsonrpc: "2.0", method: "notifications/initialized" }, []];
    for (const message of [...open, ...closed]) {
      for (const headers of open.includes(message) ? [bearer("x")] : [{}, bearer("x")]) {
        const { status, headers: got } = await read(postern.json("/mcp", message, { ...(message.params ? named(message) : {}), ...headers }));
        assert.equal(status, 401, JSON.stringify(message));
        assert.match(got.get("www-authenticate"), /^Bearer .*resource_metadata="[^"]+\/mcp"/);
      }
    }
  });

  test("is closed to pages of foreign origins, open to ours, loopback and those on the list", async () => {
    for (const origin of ["https://evil.example", "null", "https://app.example.evil.example", "https://app.example/", "http://app.example", "http://localhost.evil.example", "x", "https://localhost@evil.example"]) {
      assert.equal((await legacy("tools/list", undefined, { origin })).status, 403, origin);
    }
    for (const origin of [postern.issuer, "https://app.example", "http://localhost:6274", "http://127.0.0.1:1", "http://[::1]:3000"]) result(await legacy("tools/list", undefined, { origin }));
  });

  test("is closed where it is reached by a name that is neither the issuer's nor loopback", async () => {
    const asked = (host) =>
      new Promise((resolve, reject) => {
        const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" });
        request(`${postern.issuer}/mcp`, { method: "POST", headers: { host, "content-type": "application/json" } }, (answer) => answer.resume().on("end", () => resolve(answer.statusCode))).on("error", reject).end(body);
      });
    for (const host of ["evil.example", "localhost.evil.example", "169.254.169.254"]) assert.equal(await asked(host), 403, host);
    for (const host of [new URL(postern.issuer).host, "127.0.0.1:1", "[::1]"]) assert.equal(await asked(host), 200, host);
  });

  test("answers a preflight without a token, and lets pages send what the protocol needs (row 12)", async () => {
    const { status, headers, text } = await read(
      fetch(`${postern.issuer}/mcp`, { method: "OPTIONS", headers: { origin: "https://app.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type,mcp-protocol-version" } }),
    );
    assert.deepEqual([status, text, headers.get("www-authenticate")], [204, "", null]);
    assert.ok(["*", "https://app.example"].includes(headers.get("access-control-allow-origin")));
    const allowed = headers.get("access-control-allow-headers").toLowerCase().split(/, */);
    for (const name of ["authorization", "content-type", "accept", "mcp-protocol-version", "mcp-method", "mcp-name", "last-event-id"]) assert.ok(allowed.includes(name), name);
    assert.match(headers.get("access-control-allow-methods"), /\bPOST\b/);
    const exposed = (await legacy("tools/list")).headers.get("access-control-expose-headers").toLowerCase();
    for (const name of ["www-authenticate", "retry-after"]) assert.ok(exposed.includes(name), name);
  });

  test("has one method: with a token GET and DELETE are not allowed", async () => {
    for (const method of ["GET", "DELETE", "PUT"]) {
      const { status, headers } = await read(fetch(`${postern.issuer}/mcp`, { method, headers: { ...bearer(token), accept: "text/event-stream" } }));
      assert.deepEqual([status, headers.get("allow")], [405, "POST, OPTIONS"], method);
    }
    assert.equal((await read(postern.json("/mcp/", {}, bearer(token)))).status, 404);
  });
});
