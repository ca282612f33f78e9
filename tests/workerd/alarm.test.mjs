// Our own entry around objects that fail when their alarm rings, in each way that the module can: the platform drops an alarm that has failed six
// times, so none may fail.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildSync } from "esbuild";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";
import { until } from "./support/agent.mjs";
import { root } from "./support/postern.mjs";

/** In place of the module: objects whose command says how their next alarms end. */
const MODULE = `
  const state = (globalThis.__worker_init_state = { criticalError: false, instanceId: 0 });
  const ends = {
    async breaks() {
      await null;
      state.criticalError = true;
      state.broken();
      return new Promise(() => {});
    },
    traps() {
      throw new WebAssembly.RuntimeError("unreachable");
    },
    fails: () => Promise.reject(new Error("no storage")),
    waits: () => new Promise(() => {}),
  };
  class Rings {
    constructor({ storage }) {
      this.storage = storage;
    }
    take(how) {
      const { kv } = this.storage;
      if (how in ends) {
        kv.put("how", how);
        this.storage.setAlarm(Date.now());
      }
      return JSON.stringify(kv.get("rung") ?? []);
    }
    alarm() {
      const { kv } = this.storage;
      kv.put("rung", [...(kv.get("rung") ?? []), Date.now()]);
      return ends[kv.get("how")]();
    }
  }
  export { Rings as Account, Rings as Cell };
  export default class {
    constructor() {
      state.criticalError = false;
    }
    serve() {}
    wants() {}
  }`;

let folder, mf;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "postern-alarm-"));
  for (const name of ["entry.js", "shared.js"]) writeFileSync(join(folder, name), readFileSync(join(root, "src", "edge", "js", name)));
  writeFileSync(join(folder, "module.js"), MODULE);
  const { outputFiles } = buildSync({ entryPoints: [join(folder, "entry.js")], bundle: true, format: "esm", external: ["cloudflare:*"], write: false });
  const modules = [{ type: "ESModule", path: "index.js", contents: outputFiles[0].text }];
  const worker = { name: "alarm", modules, modulesRoot: "/", compatibilityDate: "2026-10-20", durableObjects: { CELL: { className: "Cell", useSQLite: true } } };
  mf = new Miniflare(convertV4MiniflareOptions({ cf: false, log: new Log(LogLevel.NONE), handleStructuredLogs: () => {}, workers: [worker] }));
  await mf.ready;
});
after(async () => {
  await mf?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Has an object take a command; when its alarm has rung. */
async function take(name, command = "look") {
  const objects = await mf.getDurableObjectNamespace("CELL");
  const answer = await objects.get(objects.idFromName(name)).fetch(`https://object/${command}`, { method: "POST", body: "{}" });
  return answer.json();
}

test("an alarm at which the module breaks, or which fails, rings again, ever later, and whoever it is a neighbour of goes on", async () => {
  // Its alarm is under way when the module breaks.
  await take("neighbour", "waits");
  await until(async () => (await take("neighbour")).length === 1);
  for (const how of ["breaks", "traps", "fails"]) await take(how, how);
  for (const name of ["breaks", "traps", "fails"]) {
    await until(async () => (await take(name)).length >= 3, 25_000, 100);
    const [first, second, third] = await take(name);
    assert.ok(second - first >= 4900 && second - first < 8000, `${name}: ${second - first} ms`);
    assert.ok(third - second >= 9900 && third - second < 14_000, `${name}: ${third - second} ms`);
  }
  const [first, second] = await take("neighbour");
  assert.ok(second - first < 8000, `${second - first} ms`);
});
