// The documents that anyone may read: where they are, how they are kept, and whose name they carry.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange, register } from "./support/agent.mjs";
import { deploy, RESOURCE_SERVER_KEY } from "./support/postern.mjs";
import { raw, send } from "./support/wire.mjs";

const METADATA = ["oauth-protected-resource", "oauth-authorization-server"].flatMap((name) => [
  `/.well-known/${name}`,
  ...["/mcp", "/api/v1"].flatMap((path) => [`/.well-known/${name}${path}`, `${path}/.well-known/${name}`]),
]);
const JSON_DOCUMENTS = [...METADATA, "/.well-known/jwks.json", "/.well-known/agent-configuration"];
const DOCUMENTS = {
  ...Object.fromEntries(JSON_DOCUMENTS.map((path) => [path, "application/json"])),
  "/": "text/html; charset=utf-8",
  "/auth.md": "text/markdown; charset=utf-8",
  "/llms.txt": "text/plain; charset=utf-8",
  "/robots.txt": "text/plain; charset=utf-8",
  "/.well-known/security.txt": "text/plain; charset=utf-8",
};

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

const read = async (path, headers) => {
  const response = await postern.get(path, headers);
  return { response, text: await response.text() };
};
const document = async (path) => JSON.parse((await read(path)).text);

describe("every document", () => {
  for (const [path, type] of Object.entries(DOCUMENTS)) {
    test(`${path} is read by GET, HEAD and OPTIONS from anywhere, kept, and asked for again cheaply`, async () => {
      const { response, text } = await read(path);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), type);
      assert.equal(response.headers.get("access-control-allow-origin"), "*");
      assert.match(response.headers.get("cache-control"), /^public, max-age=[1-9]\d*$/);
      assert.equal(response.headers.get("set-cookie"), null);
      assert.ok(text.length > 20);
      const etag = response.headers.get("etag");
      assert.match(etag, /^"[\x21\x23-\x7e]+"$/);

      const head = await fetch(postern.issuer + path, { method: "HEAD" });
      assert.equal(head.status, 200);
      for (const name of ["content-type", "etag", "cache-control", "access-control-allow-origin"])
        assert.equal(head.headers.get(name), response.headers.get(name), name);
      assert.equal(await head.text(), "");
      const bare = await raw(postern, `HEAD ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      const length = Buffer.byteLength(text);
      assert.ok([undefined, `${length}`].includes(bare.headers["content-length"]), "the length of HEAD is that of GET");

      const options = await fetch(postern.issuer + path, { method: "OPTIONS", headers: { origin: "https://app.example", "access-control-request-method": "GET" } });
      assert.equal(options.status, 204);
      assert.equal(options.headers.get("allow"), "GET, HEAD, OPTIONS");
      assert.equal(options.headers.get("access-control-allow-origin"), "*");
      assert.match(options.headers.get("access-control-allow-methods"), /GET/);

      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, `W/"other" , W/${etag}`, "*"]) {
        const same = await read(path, { "if-none-match": known });
        assert.equal(same.response.status, 304, known);
        assert.equal(same.text, "");
        assert.equal(same.response.headers.get("etag"), etag);
        assert.equal(same.response.headers.get("cache-control"), response.headers.get("cache-control"));
        assert.equal(same.response.headers.get("access-control-allow-origin"), "*");
      }
      for (const other of ['"other"', etag.slice(1, -1), "", `"${etag}`]) {
        const changed = await read(path, { "if-none-match": other });
        assert.equal(changed.response.status, 200, other);
        assert.equal(changed.text, text);
      }
    });

    test(`${path} is changed by no method`, async () => {
      for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
        const response = await fetch(postern.issuer + path, { method, body: method === "DELETE" ? undefined : "x" });
        assert.equal(response.status, 405, method);
        assert.equal(response.headers.get("allow"), "GET, HEAD, OPTIONS");
        assert.equal(response.headers.get("access-control-allow-origin"), "*");
        assert.equal(response.headers.get("content-type"), path.startsWith("/api/v1/") ? "application/problem+json" : "application/json");
        assert.equal((await response.json()).error, "method_not_allowed");
      }
    });
  }

  test("has no null in it", async () => {
    const walk = (value, where) => {
      assert.notEqual(value, null, where);
      if (typeof value === "object") for (const [name, inner] of Object.entries(value)) walk(inner, `${where}.${name}`);
    };
    for (const path of JSON_DOCUMENTS) walk(await document(path), path);
  });

  test("page of ours needs nothing from elsewhere and cannot be framed", async () => {
    const { response, text } = await read("/");
    assert.match(response.headers.get("content-security-policy"), /default-src 'none'.*frame-ancestors 'none'/);
    assert.equal(response.headers.get("x-frame-options"), "DENY");
    for (const [, link] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
      assert.match(link, /^\//, link);
      // The account asks for a sign-in first.
      assert.equal((await postern.get(link)).status, link === "/account" ? 303 : 200, link);
    }
    for (const path of ["/agent/identity", "/oauth2/token", "/auth.md", "wrangler deploy"]) assert.ok(text.includes(path), path);
  });
});

describe("protected resource metadata", () => {
  for (const [resource, paths] of [
    ["/mcp", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp", "/mcp/.well-known/oauth-protected-resource"]],
    ["/api/v1", ["/.well-known/oauth-protected-resource/api/v1", "/api/v1/.well-known/oauth-protected-resource"]],
  ]) {
    test(`of ${resource} is the same at all its addresses`, async () => {
      for (const path of paths)
        assert.deepEqual(await document(path), {
          resource: postern.issuer + resource,
          authorization_servers: [postern.issuer],
          scopes_supported: ["api.read", "api.write"],
          bearer_methods_supported: ["header"],
          dpop_signing_alg_values_supported: ["ES256", "ES384", "RS256", "PS256", "EdDSA", "Ed25519"],
          resource_name: "Postern",
        });
    });
  }

  test("leads without a redirect to a server that has exactly the name by which it was asked", async () => {
    for (const path of METADATA.filter((path) => path.includes("protected"))) {
      const [server] = (await document(path)).authorization_servers;
      const response = await fetch(`${server}/.well-known/oauth-authorization-server`, { redirect: "error" });
      assert.equal((await response.json()).issuer, server);
    }
  });

  test("is the same server's at every address", async () => {
    const root = await document("/.well-known/oauth-authorization-server");
    for (const path of METADATA.filter((path) => path.includes("authorization-server"))) assert.deepEqual(await document(path), root, path);
  });
});

describe("plain words", () => {
  test("llms.txt points to auth.md, and both metadata documents", async () => {
    const { text } = await read("/llms.txt");
    for (const path of ["/auth.md", ...METADATA.filter((path) => /^\/\.well-known\/[a-z-]+$/.test(path))]) assert.ok(text.includes(postern.issuer + path), path);
  });

  test("security.txt has a contact, its own address and an end within a year (RFC 9116)", async () => {
    const { text } = await read("/.well-known/security.txt");
    const field = (name) => new RegExp(`^${name}: (\\S+)$`, "m").exec(text)[1];
    assert.match(field("Contact"), /^(https?|mailto):/);
    assert.equal(field("Canonical"), `${postern.issuer}/.well-known/security.txt`);
    const days = (Date.parse(field("Expires")) - Date.now()) / 86_400_000;
    assert.ok(days > 30 && days < 366, `${days} days`);
    assert.equal(text.match(/^Expires: /gm).length, 1);
  });

  test("/health says that the worker runs, and /ready that its stores do", async () => {
    for (const [path, body] of [["/health", { status: "ok" }], ["/ready", { status: "ready", checks: { kv: "ok", durable_object: "ok" } }]]) {
      const { response, text } = await read(path);
      assert.deepEqual([response.status, response.headers.get("cache-control"), JSON.parse(text)], [200, "no-store", body]);
      const head = await fetch(postern.issuer + path, { method: "HEAD" });
      assert.equal(head.status, 200);
      const post = await fetch(postern.issuer + path, { method: "POST" });
      assert.deepEqual([post.status, post.headers.get("allow")], [405, "GET, HEAD, OPTIONS"]);
    }
  });
});

describe("what is not there", () => {
  const UNKNOWN = [
    "/.well-known/nothing",
    "/.well-known/",
    "/.well-known",
    "/.well-known/openid-configuration/",
    "/.well-known/openid-configuration/other",
    "/mcp/.well-known/openid-configuration/mcp",
    "/.well-known/oauth-protected-resource/",
    "/.well-known/oauth-protected-resource/mcp/",
    "/.well-known/oauth-protected-resource/other",
    "/.well-known/oauth-protected-resource/api",
    "/other/.well-known/oauth-authorization-server",
    "/mcp/.well-known/oauth-protected-resource/mcp",
    "/.well-known/jwks.json/mcp",
    "/mcp/.well-known/nothing",
    "/.well-known/JWKS.json",
    "/AUTH.md",
    "/auth.md/",
  ];
  for (const path of UNKNOWN) {
    test(`${path} is a JSON 404`, async () => {
      const { response, text } = await read(path, { "if-none-match": "*" });
      assert.equal(response.status, 404);
      assert.equal(response.headers.get("content-type"), "application/json");
      assert.equal(response.headers.get("access-control-allow-origin"), "*");
      const body = JSON.parse(text);
      assert.deepEqual(Object.keys(body).sort(), ["error", "error_description", "error_uri", "hint"]);
      assert.equal(body.error, "not_found");
      assert.equal(body.error_uri, `${postern.issuer}/auth.md#not_found`);
    });
  }

  test("is told without asking anybody", async () => {
    const all = () => Promise.all(["CELL", "ACCOUNT"].map((kind) => postern.mf.listDurableObjectIds(kind)));
    const objects = await all();
    for (let round = 0; round < 50; round += 1) await read(`/.well-known/nothing-${round}`);
    assert.deepEqual(await all(), objects);
  });
});

describe("the issuer", () => {
  test("is the same bytes in documents, tokens, introspection, status lists and challenges (row 6)", async () => {
    const { issuer } = postern;
    assert.equal((await document("/.well-known/agent-configuration")).issuer, issuer);
    const { identity_assertion } = await register(postern);
    const { access_token } = await exchange(postern, identity_assertion);
    const token = claims(access_token);
    assert.deepEqual([token.iss, claims(identity_assertion).iss, claims(identity_assertion).aud, token.aud], [issuer, issuer, issuer, `${issuer}/mcp`]);
    const basic = Buffer.from(`api:${RESOURCE_SERVER_KEY}`).toString("base64");
    const asked = await (await postern.form("/oauth2/introspect", { token: access_token }, { authorization: `Basic ${basic}` })).json();
    assert.equal(asked.iss, issuer);
    const { uri } = token.status.status_list;
    assert.ok(uri.startsWith(`${issuer}/status/`));
    const list = claims(await (await fetch(uri)).text());
    assert.deepEqual([list.iss, list.sub], [issuer, uri]);
    for (const path of ["/mcp", "/api/v1/auth/me"])
      assert.match((await postern.get(path)).headers.get("www-authenticate"), new RegExp(`resource_metadata="${issuer}/\\.well-known/oauth-protected-resource/(mcp|api/v1)"`));
  });

  test("does not come from the Host header, nor from anything that a proxy would add", async () => {
    const foreign = { host: "evil.example:1234", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https", forwarded: "host=evil.example;proto=https", origin: "https://evil.example" };
    for (const path of Object.keys(DOCUMENTS)) {
      const { text } = await read(path);
      const spoofed = await send(postern, path, { headers: foreign });
      assert.equal(spoofed.status, 200);
      assert.equal(spoofed.body, text, path);
      assert.ok(!JSON.stringify(spoofed.headers).includes("evil"));
    }
    const refused = await send(postern, "/api/v1/auth/me", { headers: foreign });
    assert.equal(refused.headers["www-authenticate"], (await postern.get("/api/v1/auth/me")).headers.get("www-authenticate"));
    const registered = await send(postern, "/agent/identity", { method: "POST", headers: { ...foreign, "content-type": "application/json", "cf-connecting-ip": "192.0.2.7" }, body: '{"type":"anonymous"}' });
    const { identity_assertion } = JSON.parse(registered.body);
    assert.equal(claims(identity_assertion).iss, postern.issuer);
    const { access_token } = await exchange(postern, identity_assertion);
    assert.equal(await call(postern.issuer, access_token), 200);
  });

  test("is what the configuration says even where the worker is reached by another name", async () => {
    const other = await deploy({ vars: { ISSUER: "https://auth.example.com", DEV: null }, persist: false });
    try {
      for (const path of METADATA) {
        const text = await (await other.get(path)).text();
        assert.ok(text.includes('"https://auth.example.com"'), path);
        assert.ok(!text.includes("localhost"), path);
      }
      const { identity_assertion } = await register(other);
      assert.equal(claims(identity_assertion).iss, "https://auth.example.com");
      assert.match((await other.get("/mcp")).headers.get("www-authenticate"), /"https:\/\/auth\.example\.com\/\.well-known/);
      for (const path of ["/auth.md", "/llms.txt", "/.well-known/security.txt", "/"]) assert.ok(!(await (await other.get(path)).text()).includes("//localhost"), path);
    } finally {
      await other.stop();
    }
  });
});
