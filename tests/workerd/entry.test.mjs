// Our own entry: it keeps documents outside the module, which nobody can tell; what becomes of requests when the module breaks; and objects of the
// version before and of this one, which ask each other while a new version is rolled out.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { build } from "../../scripts/build.mjs";
import { keyToken, register, registerKey, sleep, until } from "./support/agent.mjs";
import { ok } from "./support/answers.mjs";
import { deploy } from "./support/postern.mjs";
import { rewrite } from "./support/storage.mjs";

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

describe("a module that breaks", () => {
  let broken;
  before(async () => {
    await build({ conformance: true });
    broken = await deploy({ build: "build-conformance" });
  });
  after(() => broken?.stop());

  const token = async () => (await keyToken(broken, (await registerKey(broken)).credential)).access_token;
  /** What a tool answers: `test_panic` never does. */
  const tool = (name, bearer) => broken.json("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } }, { authorization: `Bearer ${bearer}`, accept: "application/json, text/event-stream" });
  const begun = () => broken.logs.filter(({ message }) => message.includes("Reinitializing")).length;

  /** The answer says that it was our fault, and nothing else. */
  async function isOurFault(answer) {
    const id = answer.headers.get("x-request-id");
    assert.deepEqual([answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control")], [500, "application/problem+json", "no-store"]);
    const { type, title, status, detail, error, error_description, ...more } = await answer.json();
    assert.deepEqual([type, status, error, more], ["about:blank", 500, "server_error", {}]);
    for (const words of [title, detail, error_description]) assert.match(words, /^[A-Z][a-z ]+\.$/);
    await until(() => broken.lines().some(({ request_id, level, reason }) => request_id === id && level === "error" && reason === "the module broke"));
  }

  async function isFine(bearer) {
    const answer = await tool("test_simple_text", bearer);
    assert.equal(answer.status, 200, await answer.text());
  }

  for (const [when, waits] of [["at once", false], ["after it has asked for something", true]]) {
    test(`${when}: the request is told that it was our fault, and the next one is answered by a new module`, async () => {
      const bearer = await token();
      // A token that is known here is not asked about for a second.
      if (!waits) await isFine(bearer);
      const before = begun();
      await isOurFault(await tool("test_panic", bearer));
      assert.ok(broken.lines().some(({ event, reason }) => event === "panic" && /fixtures\/mod\.rs:\d+:\d+: asked for by a test$/.test(reason)));
      await isFine(bearer);
      await until(() => begun() === before + 1);
      assert.equal((await broken.get("/health")).status, 200);
      await isFine(await token());
    });
  }

  test("together with requests of others: each has an answer, and nothing that was acknowledged is lost", async () => {
    const bearer = await token();
    for (let round = 0; round < 3; round += 1) {
      const others = Array.from({ length: 8 }, () => register(broken).then(({ identity_assertion }) => identity_assertion, ({ message }) => ({ message })));
      await sleep(round * 5);
      await isOurFault(await tool("test_panic", bearer));
      for (const answer of await Promise.all(others)) {
        // An agent has its registration, or is told that it was our fault; 503 if an object of this isolate broke under the worker.
        if (typeof answer === "string") assert.equal((await broken.form("/oauth2/token", { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: answer })).status, 200);
        else assert.match(answer.message, /server_error|temporarily_unavailable/);
      }
      await isFine(bearer);
    }
  });

  test("a record that cannot be read rings ever later, though its object is made anew, and the log says of which kind it is", async () => {
    const own = await deploy({ build: "build-conformance" });
    try {
      assert.deepEqual(await asked(own, "once/x", "once", { Burn: { digest: "x", until: Date.now() + 4000 } }), [200, '"Fresh"']);
      // Its alarm is set: from now on nobody knows what it is.
      await own.restart({}, () => rewrite(own, "once", (body) => body.replace('"kind":"once"', '"kind":"unheard-of"')));
      const failed = () => own.lines().filter(({ event }) => event === "wake_failed");
      const rung = [];
      for (const count of [1, 2, 3]) {
        await until(() => failed().length >= count, 20_000, 20);
        rung.push(Date.now());
        if (count === 2) await own.restart();
      }
      assert.deepEqual([...new Set(failed().map(({ reason }) => reason))], ["unheard-of: no machine of the kind unheard-of"]);
      const [first, second] = [rung[1] - rung[0], rung[2] - rung[1]];
      assert.ok(first > 4800 && first < 8000, `${first} ms`);
      assert.ok(second > 9000 && second < 16_000, `${second} ms`);
    } finally {
      await own.stop();
    }
  });
});

/** What an object answers to a command that comes as a request. */
async function asked({ mf }, name, kind, command) {
  const objects = await mf.getDurableObjectNamespace("CELL");
  const answer = await objects.get(objects.idFromName(name)).fetch(`https://object/${kind}`, { method: "POST", body: JSON.stringify(command) });
  return [answer.status, await answer.text()];
}

describe("while a new version is rolled out", () => {
  // Objects as the version before has them, which take commands as requests alone. What they keep is kept by objects of this version, which are
  // asked as a worker of the version before asks them.
  const script = `
    const before = (binding) => class {
      constructor(state, env) {
        this.objects = env[binding];
        this.name = state.id.toString();
      }
      async fetch(request) {
        const command = await request.text();
        console.log(JSON.stringify({ event: "asked", url: request.url, method: request.method }));
        if (command.includes("not for the version before")) return new Response("the record did not take the command", { status: 500 });
        return this.objects.get(this.objects.idFromName(this.name)).fetch(request.url, { method: "POST", body: command });
      }
    };
    export const Cell = before("CELL");
    export const Account = before("ACCOUNT");
    export default { fetch: () => new Response(null, { status: 404 }) };`;
  // Whoever has a class also binds it.
  const classes = [["CELL", "Cell"], ["ACCOUNT", "Account"]];
  const objects = (scriptName) => Object.fromEntries(classes.flatMap(([name, className]) => [[name, { className, scriptName, useSQLite: true }], [`OWN_${name}`, { className, useSQLite: true }]]));
  let rolling;
  before(async () => {
    const older = { name: "before", modules: true, script, compatibilityDate: "2026-10-20", durableObjects: objects("postern") };
    rolling = await deploy({ options: { durableObjects: objects("before") }, extra: [older] });
  });
  after(() => rolling?.stop());

  test("objects of the version before are asked by requests, and those of this one answer to requests", async () => {
    const { identity_assertion } = await register(rolling);
    const { access_token } = await ok(rolling.form("/oauth2/token", { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: identity_assertion }));
    const me = await rolling.get("/api/v1/auth/me", { authorization: `Bearer ${access_token}` });
    assert.equal(me.status, 200, await me.text());
    // An account, too.
    const { access_token: manager } = await keyToken(rolling, (await registerKey(rolling)).credential, { scope: "agents.read agents.write" });
    const made = await rolling.json("/api/v1/agents", { name: "Scout", agent_type: "tool" }, { authorization: `Bearer ${manager}` });
    assert.equal(made.status, 201, await made.text());
    const requests = rolling.lines().filter(({ event }) => event === "asked");
    for (const kind of ["limit", "registration", "keyring", "account"]) assert.ok(requests.some(({ url, method }) => url === `https://object/${kind}` && method === "POST"), kind);
  });

  test("what such an object does not take is unavailable, and no more than that", async () => {
    const answer = await rolling.json("/agent/identity", { type: "anonymous", agent: "not for the version before" });
    assert.deepEqual([answer.status, (await answer.json()).error], [503, "temporarily_unavailable"]);
    await register(rolling);
  });

  test("an object of this version decides the same for a worker of the version before", async () => {
    const burn = { Burn: { digest: "x", until: Date.now() + 600_000 } };
    assert.deepEqual(await asked(postern, "once/y", "once", burn), [200, '"Fresh"']);
    assert.deepEqual(await asked(postern, "once/y", "once", burn), [200, '"Seen"']);
    for (const [kind, command] of [["once", { Unheard: 1 }], ["unheard", burn]]) assert.deepEqual(await asked(postern, "once/y", kind, command), [500, "the record did not take the command"]);
  });
});
