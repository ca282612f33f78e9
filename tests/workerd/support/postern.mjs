// Starts the built worker in workerd, with real KV and Durable Objects, and keeps its log.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare, convertV4MiniflareOptions, Log, LogLevel } from "miniflare";

export const root = new URL("../../../", import.meta.url).pathname;
export const OPERATOR_KEY = "an-operator-key-for-the-tests-only-0123456789";
export const RESOURCE_SERVER_KEY = "a-resource-server-key-for-the-tests-only";
const SECRET = "a-secret-of-the-tests-only-0123456789abcdef";

const sha256 = async (text) => Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).toString("hex");

/** A port that nobody uses at the moment. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** An address of the documentation and private ranges that no other test uses: every test has limits of its own. */
let addresses = 0;
export function address() {
  addresses += 1;
  return `10.${Math.floor(addresses / 250) % 250}.${addresses % 250}.${1 + Math.floor(Math.random() * 250)}`;
}

function modules(folder) {
  const read = (name) => readFileSync(join(root, folder, name));
  return [
    { type: "ESModule", path: "index.js", contents: read("index.js").toString() },
    { type: "CompiledWasm", path: "index_bg.wasm", contents: read("index_bg.wasm") },
  ];
}

/**
 * A deployment. `vars` go on top of the defaults of the tests (null takes one away); `isolates: 2` adds a second worker over the same
 * objects and KV, reached at `second`; `extra` are further Miniflare workers; `options` go to the worker itself, for bindings, its objects if
 * they are others, and what is outside; `build` is the folder that it was built into.
 */
export async function deploy({ vars = {}, isolates = 1, extra = [], persist = true, options: more = {}, build = "build" } = {}) {
  const port = await freePort();
  const issuer = `http://localhost:${port}`;
  const folder = mkdtempSync(join(tmpdir(), "postern-test-"));
  const logs = [];
  const bindings = {
    ISSUER: issuer,
    DEV: "1",
    POSTERN_SECRET: SECRET,
    OPERATOR_KEY,
    RESOURCE_SERVER_KEYS: `api:${await sha256(RESOURCE_SERVER_KEY)}`,
    REGISTRATIONS_PER_HOUR: "1000000",
    ...vars,
  };
  for (const [name, value] of Object.entries(bindings)) if (value === null) delete bindings[name];
  const worker = {
    modules: modules(build),
    modulesRoot: "/",
    compatibilityDate: "2026-10-20",
    bindings,
    kvNamespaces: { KV: "postern-kv" },
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    ...more,
  };
  const objects = (options = {}) => ({
    CELL: { className: "Cell", useSQLite: true, ...options },
    ACCOUNT: { className: "Account", useSQLite: true, ...options },
  });
  const first = { durableObjects: objects(), ...worker, name: "postern" };
  const others = Array.from({ length: isolates - 1 }, (_, index) => ({
    ...worker,
    name: `postern-${index + 2}`,
    durableObjects: objects({ scriptName: "postern" }),
  }));
  const options = () =>
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port,
      cf: false,
      log: new Log(LogLevel.NONE),
      handleStructuredLogs: ({ level, message }) => logs.push({ level, message }),
      ...(persist ? { resourcePersistencePath: folder } : {}),
      workers: [first, ...others, ...extra],
    });
  let mf = new Miniflare(options());
  await mf.ready;
  const deployment = {
    issuer,
    logs,
    folder,
    get mf() {
      return mf;
    },
    async second() {
      return (await mf.unsafeGetDirectURL("postern-2")).href.replace(/\/$/, "");
    },
    /** Ends workerd and starts it anew over the same storage, with these variables on top; null takes one away. `between` happens while it is down. */
    async restart(vars = {}, between = () => {}) {
      Object.assign(bindings, vars);
      for (const [name, value] of Object.entries(bindings)) if (value === null) delete bindings[name];
      await mf.dispose();
      await between();
      mf = new Miniflare(options());
      await mf.ready;
    },
    async stop() {
      await mf.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
    /** The log lines that are JSON, as the worker writes them. */
    lines() {
      return logs.flatMap(({ message }) => {
        try {
          return [JSON.parse(message)];
        } catch {
          return [];
        }
      });
    },
    get(path, headers = {}) {
      return fetch(issuer + path, { headers, redirect: "manual" });
    },
    json(path, body, headers = {}) {
      return sent(issuer + path, {
        method: "POST",
        headers: { "content-type": "application/json", "cf-connecting-ip": address(), ...headers },
        body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
      });
    },
    form(path, fields, headers = {}) {
      return fetch(issuer + path, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded", ...headers }, body: new URLSearchParams(fields).toString() });
    },
  };
  return deployment;
}

/** Sends a request again whose connection the server was just closing: it has read none of it (RFC 9110, section 9.2.2). */
const sent = (url, init) => fetch(url, init).catch((error) => (wasClosing(error.cause) ? fetch(url, init) : Promise.reject(error)));
const wasClosing = (cause) => cause?.code === "EPIPE" || (cause?.code === "UND_ERR_SOCKET" && cause.message === "other side closed");

/** Rounds of what must happen exactly once: few in CI, many in the long run. */
export const ROUNDS = Number(process.env.ROUNDS ?? 5);
