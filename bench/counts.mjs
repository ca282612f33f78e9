// What one request of each path does to storage: the figures that a bill is made of. They depend on the code alone, not on the machine.
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/lib.mjs";
import { collect, load } from "./load.mjs";
import { PATHS } from "./paths.mjs";
import { get } from "./requests.mjs";
import { freePort } from "./servers.mjs";
import { digits } from "./statistics.mjs";
import { FASTEST } from "./targets/postern.mjs";

/** Requests that are counted, of each path. */
const COUNTED = 50;
/** So many requests that can be sent but once come first. */
const WARM = 150;
/** Nothing has been done for so long when all is done, in milliseconds; what never ends is not waited for. */
const QUIET = 400;
const PATIENCE = 8_000;
const FILE = join(root, "bench", "counts.json");

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const tally = (port) => collect(port, [get("/benchmark-counts")], "counts").then(([counts]) => counts);

/** The counts, once nothing goes on behind the answers any more. */
async function settled(port) {
  const until = Date.now() + PATIENCE;
  let last = await tally(port);
  for (;;) {
    await sleep(QUIET);
    const now = await tally(port);
    if (Date.now() > until || Object.keys(now).every((name) => now[name] === last[name])) return now;
    last = now;
  }
}

async function send(port, order, connections) {
  const { failures, failure } = await load({ port, connections, ...order });
  if (failures) throw new Error(`${failures} requests that are counted failed: ${failure}`);
}

/** What one request of a path does, after others like it. */
async function counted(port, { prepare, requests, once, ...right }) {
  const all = requests ?? (await prepare());
  const some = Array.from({ length: COUNTED }, (_, index) => (once ? all.at(index - COUNTED) : all[index % all.length]));
  await send(port, { requests: once ? all.slice(0, -COUNTED) : all, once: true, ...right }, 16);
  const before = await settled(port);
  await send(port, { requests: some, once: true, ...right }, 1);
  const after = await settled(port);
  return Object.fromEntries(Object.keys(before).map((name) => [name, digits((after[name] - before[name]) / COUNTED)]));
}

/** Keeps the counts: those of all paths are what the cost in the README is made of. */
export function store(found, whole, work) {
  mkdirSync(work, { recursive: true });
  writeFileSync(whole ? FILE : join(work, "counts.json"), `${JSON.stringify({ requests: COUNTED, per_request: found }, null, 2)}\n`);
}

/** The counts of these paths, of all `targets` that can be counted. */
export async function counts(targets, paths, objects, work, say) {
  const found = {};
  for (const target of targets.filter((target) => target.startCounted && target.paths.some((path) => paths.includes(path)))) {
    const called = ["counted", target.part].filter(Boolean).join("-");
    say(`counting what is done to storage${target.part ? `: ${target.part}` : ""}`);
    const server = await target.startCounted({ folder: join(work, called), storage: mkdtempSync(join(objects, `${called}-`)), port: await freePort() });
    const measures = await target.measures(server, (WARM + COUNTED) / FASTEST);
    for (const path of paths.filter((path) => path in measures)) found[path] = await counted(server.port, measures[path]);
    await server.stop();
  }
  return Object.fromEntries(Object.keys(PATHS).flatMap((path) => (path in found ? [[path, found[path]]] : [])));
}
