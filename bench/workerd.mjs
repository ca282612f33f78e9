// Starts a worker in `workerd serve`, the production runtime on one machine.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import workerd from "workerd";
import { root } from "../scripts/lib.mjs";
import { start } from "./servers.mjs";

const KV = join(root, "bench", "targets", "kv.js");
const date = /^compatibility_date = "(.+)"$/m.exec(readFileSync(join(root, "wrangler.toml"), "utf8"))[1];

const text = (value) => JSON.stringify(value);

function config({ modules, kv, bindings, classes }, { port, storage, kvPort }) {
  const module = ([name]) => `(name = ${text(name)}, ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed ${text(name)})`;
  const values = Object.entries(bindings).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`);
  if (kv) values.push(`(name = ${text(kv)}, kvNamespace = "kv")`);
  const pairs = Object.entries(classes);
  values.push(...pairs.map(([name, className]) => `(name = ${text(name)}, durableObjectNamespace = ${text(className)})`));
  const namespace = ([name, className]) => `(className = ${text(className)}, uniqueKey = ${text(name.toLowerCase())}, enableSql = true)`;
  const objects = pairs.length
    ? `durableObjectNamespaces = [${pairs.map(namespace).join(", ")}],
  durableObjectStorage = (localDisk = "disk"),`
    : "";
  const directory = kvPort
    ? `external = (address = "127.0.0.1:${kvPort}", http = ())`
    : `worker = (compatibilityDate = ${text(date)}, modules = [(name = "kv.js", esModule = embed "kv.js")])`;
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["local"])),
    (name = "kv", ${directory}),
    (name = "disk", disk = (path = ${text(storage)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);

const main :Workerd.Worker = (
  compatibilityDate = ${text(date)},
  modules = [${modules.map(module).join(", ")}],
  bindings = [${values.join(", ")}],
  ${objects}
);
`;
}

/**
 * A worker: `modules` are pairs of a name and its bytes, the entry first; `bindings` are variables; `kv` names the KV
 * binding, and `classes` has the class of each Durable Object binding. All files are copied to `folder`, so that a build meanwhile does not change what is measured.
 * With `kvPort` the KV is a service of that loopback port, which outlives the worker; else it is in the same workerd.
 */
export function serve({ modules, kv = null, bindings = {}, classes = {} }, { folder, storage, port, path, kvPort = null }) {
  mkdirSync(folder, { recursive: true });
  mkdirSync(storage, { recursive: true });
  for (const [name, bytes] of [...modules, ["kv.js", readFileSync(KV)]]) writeFileSync(join(folder, name), bytes);
  const file = join(folder, "config.capnp");
  writeFileSync(file, config({ modules, kv, bindings, classes }, { port, storage, kvPort }));
  return start(workerd.default, ["serve", "--experimental", file], { port, path, log: join(folder, "log") });
}

/** What a deployment uploads, compressed. */
export const bundle = (modules) => modules.reduce((sum, [, bytes]) => sum + gzipSync(bytes, { level: 9 }).length, 0);
