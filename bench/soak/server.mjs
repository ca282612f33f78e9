// The deployment under test: workerd over storage that outlives it, and a KV that is in another process.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { root } from "../../scripts/lib.mjs";
import { freePort } from "../servers.mjs";
import { CLIENT } from "../targets/connected.mjs";
import kv from "../targets/kv.js";
import { serve } from "../workerd.mjs";

export const RESOURCE_SERVER_KEY = "a-resource-server-key-for-the-soak-test";
export const METADATA = "/.well-known/oauth-authorization-server";
/** For so many milliseconds what has ended may still count. */
export const LIVENESS = 1000;
/** workerd gets so many milliseconds to answer what is under way when it is asked to end. */
const DRAIN = 5000;

const bindings = (port) => ({
  ISSUER: `http://localhost:${port}`,
  DEV: "1",
  POSTERN_SECRET: "a-secret-of-the-soak-test-only-0123456789abcdef",
  RESOURCE_SERVER_KEYS: `api:${createHash("sha256").update(RESOURCE_SERVER_KEY).digest("hex")}`,
  REGISTRATIONS_PER_HOUR: "10000000",
  API_PER_MINUTE: "1000000",
  CLIENTS: JSON.stringify([CLIENT]),
  MAILS_PER_NETWORK_PER_HOUR: "100000",
  LIVENESS_TTL: String(LIVENESS / 1000),
  // Nothing expires while it runs: what ends was ended.
  ACCESS_TOKEN_TTL: "86400",
  CLIENT_TOKEN_TTL: "86400",
  ASSERTION_TTL: "86400",
});

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The KV of the benchmark as a service of this process. */
async function directory() {
  const server = createServer(async (asked, answer) => {
    const content = asked.method === "PUT" ? await body(asked) : undefined;
    const response = await kv.fetch(new Request(`http://kv${asked.url}`, { method: asked.method, headers: asked.headers, body: content }));
    const value = Buffer.from(await response.arrayBuffer());
    answer.writeHead(response.status, { ...Object.fromEntries(response.headers), "Content-Length": value.length }).end(value);
  });
  await new Promise((resolve, reject) => server.on("error", reject).listen(0, "127.0.0.1", resolve));
  return server;
}

/**
 * Starts a deployment over the folder `storage`; logs and copies of the modules go to `folder`. `life` is the number of the process,
 * from 1; `up` is a promise that is pending while there is none.
 */
export async function deployment({ folder, storage }) {
  const modules = ["index.js", "index_bg.wasm"].map((name) => [name, readFileSync(join(root, "build", name))]);
  const [port, keys] = [await freePort(), await directory()];
  let running = null;
  let wanted = false;
  const state = {
    port,
    life: 0,
    began: 0,
    /** How every process went but the last: by which signal, by itself or killed, and how long nobody answered. */
    ends: [],
    /** There is no process, or it is ending. */
    get away() {
      return !wanted;
    },
    /** Called when a process ends that nobody has ended, with the end of its log; another one is started. */
    died: () => {},
    get pid() {
      return running?.pid ?? null;
    },
    async start() {
      state.life += 1;
      const place = join(folder, `life-${state.life}`);
      mkdirSync(place, { recursive: true });
      const settings = { modules, kv: "KV", bindings: bindings(port), classes: { CELL: "Cell", ACCOUNT: "Account" } };
      const started = await serve(settings, { folder: place, storage: join(storage, "objects"), port, path: METADATA, kvPort: keys.address().port });
      [running, wanted, state.began] = [started, true, performance.now()];
      started.ended.then(() => running === started && wanted && again(readFileSync(join(place, "log"), "utf8").slice(-2000)));
      opened();
    },
    /** Ends the process and starts another over the same storage. */
    async restart(signal) {
      await state.end(signal);
      await state.start();
      state.ends.at(-1).down_ms = performance.now() - state.ends.at(-1).at;
    },
    async end(signal = "SIGTERM") {
      await state.up;
      close();
      const [ending, at] = [running, performance.now()];
      wanted = false;
      const drained = await ending.stop(signal, DRAIN);
      running = null;
      state.ends.push({ life: state.life, signal, drained: signal === "SIGTERM" && drained, at, ended_ms: performance.now() - at });
    },
    async stop() {
      if (running) await state.end();
      keys.closeAllConnections();
      await new Promise((resolve) => keys.close(resolve));
    },
  };
  const again = (log) => {
    close();
    wanted = false;
    state.died(log);
    return state.start();
  };
  let opened = () => {};
  const close = () => (state.up = new Promise((resolve) => (opened = resolve)));
  close();
  await state.start().catch(async (error) => {
    await state.stop();
    throw error;
  });
  return state;
}
