// The entry keeps documents outside the module: nobody can tell.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { deploy } from "./support/postern.mjs";

const PATHS = ["/", "/auth.md", "/style.css", "/openapi.json", "/docs", "/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp", "/.well-known/jwks.json"];

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

/** All of an answer but what is each time another. */
async function face(path, { method = "GET", ...headers } = {}) {
  const response = await fetch(postern.issuer + path, { method, headers });
  const shown = [...response.headers].filter(([name]) => !["x-request-id", "date"].includes(name));
  return { status: response.status, headers: Object.fromEntries(shown), body: await response.text(), id: response.headers.get("x-request-id") };
}

const known = ({ status, headers, body }) => ({ status, headers, body });

describe("a document", () => {
  for (const path of PATHS) {
    test(`is the same each time, and each request has a name and a line in the log: ${path}`, async () => {
      // HEAD comes first: what it answers must not be kept for GET.
      const head = await face(path, { method: "HEAD" });
      assert.deepEqual([head.status, head.body], [200, ""]);
      const [first, second, third] = [await face(path), await face(path), await face(`${path}?x=1`)];
      assert.equal(first.status, 200);
      assert.notEqual(first.body, "");
      assert.deepEqual(known(second), known(first));
      assert.deepEqual(known(third), known(first), "no document has a query");
      const ids = [head, first, second, third].map(({ id }) => id);
      assert.equal(new Set(ids).size, 4);
      for (const id of ids) assert.match(id, /^[0-9a-f]{16}$/);
      const lines = () => postern.lines().filter(({ request_id }) => ids.includes(request_id));
      for (let tries = 0; lines().length < 4 && tries < 50; tries += 1) await new Promise((done) => setTimeout(done, 20));
      const noted = lines().map(({ level, event, route, status, reason, trace }) => ({ level, event, route, status, reason, trace }));
      assert.equal(noted.length, 4);
      for (const line of noted) assert.deepEqual(line, noted[0]);
    });

    test(`is not sent to whoever has it (RFC 9110, section 13.1.2): ${path}`, async () => {
      const { etag } = (await face(path)).headers;
      // The module answers to a list, the entry to the one name.
      const [module, entry] = [await face(path, { "if-none-match": `"other", W/${etag}` }), await face(path, { "if-none-match": etag })];
      assert.deepEqual([entry.status, entry.body], [304, ""]);
      assert.deepEqual(known(entry), known(module));
      assert.equal((await face(path, { "if-none-match": '"other"' })).status, 200);
      assert.equal((await face(path, { "if-none-match": "*" })).status, 304);
    });
  }

  test("is kept by its path: no other path, and nothing that no document is, is answered so", async () => {
    for (const path of ["/auth.md/", "/AUTH.md", "//auth.md", "/.well-known/jwks.json/x"]) assert.equal((await face(path)).status, 404, path);
    assert.equal((await face("/auth.md", { method: "POST" })).status, 405);
    assert.equal((await face("/auth.md", { method: "OPTIONS" })).status, 204);
  });
});
