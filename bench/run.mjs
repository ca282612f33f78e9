// The course of a benchmark: start every target, measure them in turn, several rounds, and write down what came out.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "../scripts/lib.mjs";
import { counts, store } from "./counts.mjs";
import { CONNECTIONS, load } from "./load.mjs";
import { memoryAfter } from "./memory.mjs";
import { BASELINE, PATHS } from "./paths.mjs";
import { progress } from "./progress.mjs";
import { write as writeReadme } from "./readme.mjs";
import { countsTable, machine, summary, table, versions, write } from "./report.mjs";
import { cpu, freePort, memory, stopAll, storage } from "./servers.mjs";
import { digits, median } from "./statistics.mjs";
import { bare, bareArrivals } from "./targets/bare.mjs";
import { betterAuth, betterAuthArrivals } from "./targets/better-auth.mjs";
import { empty } from "./targets/empty.mjs";
import { posternManaged, posternQuickstart } from "./targets/managed.mjs";
import { oidcProvider } from "./targets/oidc-provider.mjs";
import { postern, posternArrivals, posternClients, posternConnected, posternStrangers, posternVouched, posternWaiting } from "./targets/postern.mjs";
import { workersOauthProvider } from "./targets/workers-oauth-provider.mjs";

const TARGETS = [postern, posternStrangers, posternArrivals, posternVouched, posternWaiting, posternConnected, posternClients, posternQuickstart, posternManaged, oidcProvider, betterAuth, betterAuthArrivals, workersOauthProvider, bare, bareArrivals];
const STARTS = 5;
const WORK = join(root, "bench", "work");

/** Starts a target some times; the last one stays. A further part of a target is started once: its start has been measured. */
async function started(target, objects, say) {
  const startups = [];
  const called = [target.id, target.part].filter(Boolean).join("-");
  say(`starting ${called}`);
  for (;;) {
    const place = { folder: join(WORK, called), storage: mkdtempSync(join(objects, `${called}-`)), port: await freePort() };
    const server = await target.start(place);
    startups.push(server.startup);
    if (target.part || startups.length === STARTS) return { ...server, startups, memory: memory(server.pid) };
    await server.stop();
  }
}

/** What is measured on a target, which has to be what it says it covers. */
async function measures(target, server, seconds) {
  const found = await target.measures(server, seconds);
  if (Object.keys(found).sort().join() !== target.paths.toSorted().join()) throw new Error(`${target.name} does not cover what it says: ${Object.keys(found).join(", ")}`);
  return found;
}

/** One measurement: what the generator saw, and the CPU that the server used for it. */
async function measured(server, order) {
  const before = cpu(server.pid);
  const result = await load({ port: server.port, ...order });
  const used = cpu(server.pid) - before;
  if (!server.alive()) throw new Error("a server ended during a measurement");
  const { count, seconds, p50, p99, failures, failure } = result;
  return { count, failures, failure, rate: count / seconds, p50, p99, cpu: used / count };
}

/** The empty worker, the measure of what stands before and after it. */
async function baseline(idle, seconds) {
  const result = await measured(idle, { requests: empty.requests, seconds });
  if (result.failures) throw new Error(`the empty worker failed: ${result.failure}`);
  return result;
}

/** All targets on one path, in turn. */
async function compared(path, stations, seconds, say) {
  const results = [];
  for (const { target, server, measures } of stations.filter((station) => path in station.measures)) {
    say(target.name);
    const { prepare, requests = await prepare(), once, status, expect } = measures[path];
    results.push({ target, path, ...(await measured(server, { requests, once, status, expect, seconds })) });
  }
  return results;
}

/** Every path, so many times. Round 0 warms up and does not count. */
async function rounds(stations, idle, { seconds, rounds: count, paths }, say) {
  const results = [];
  for (let round = 0; round <= count; round += 1) {
    const time = round === 0 ? Math.min(seconds, 1) : seconds;
    // Nobody is always the first.
    const turn = stations.map((_, index) => stations[(index + round) % stations.length]);
    let before = await baseline(idle, time);
    for (const path of paths) {
      const compare = await compared(path, turn, time, (name) => say(round, path, name));
      say(round, path, empty.name);
      const after = await baseline(idle, time);
      const unit = (before.cpu + after.cpu) / 2;
      if (round > 0) results.push({ target: empty, path: BASELINE, ...after, ratio: after.cpu / unit }, ...compare.map((result) => ({ ...result, ratio: result.cpu / unit })));
      before = after;
    }
  }
  return sorted(results, [BASELINE, ...paths], stations);
}

/** By path, then by target. */
function sorted(results, paths, stations) {
  const names = stations.map(({ target }) => target.id);
  const place = ({ path, target }) => paths.indexOf(path) * names.length + names.indexOf(target.id);
  return results.sort((one, other) => place(one) - place(other));
}

/** What is known of a target beside its measurements. */
const facts = ({ target, server }) => ({
  name: target.name,
  bundle_gzip_kb: target.bundle ? digits(target.bundle / 1000) : null,
  startup_ms: digits(median(server.startups.map(({ wall_ms }) => wall_ms))),
  startup_cpu_ms: digits(median(server.startups.map(({ cpu_ms }) => cpu_ms))),
  memory_at_start_mib: digits(server.memory),
  memory_after_run_mib: digits(memory(server.pid)),
});

/** The facts of each target; those of Postern are of the first of its processes. */
const all = (stations) => Object.fromEntries([...Map.groupBy(stations, ({ target }) => target.id)].map(([id, [station]]) => [id, facts(station)]));

export async function run(options) {
  const { folder, kind } = storage();
  const targets = TARGETS.filter((target) => target.paths.some((path) => options.paths.includes(path)));
  const whole = options.paths.length === Object.keys(PATHS).length;
  const clean = () => {
    stopAll();
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", clean);
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
  mkdirSync(WORK, { recursive: true });
  const line = progress(options);
  try {
    const storage = await counts(targets, options.paths, folder, WORK, line.say);
    store(storage, whole, WORK);
    if (options.counts) {
      line.end();
      console.log(countsTable(storage));
      if (whole) writeReadme();
      return process.exit();
    }
    const idle = await started(empty, folder, line.say);
    const stations = [];
    for (const target of targets) {
      const server = await started(target, folder, line.say);
      stations.push({ target, server, measures: await measures(target, server, options.seconds) });
    }
    const results = await rounds(stations, idle, options, line.round);
    const facts = all([{ target: empty, server: idle }, ...stations]);
    const memory = whole || options.memory ? await memoryAfter(postern, folder, WORK, line.say) : null;
    line.end();
    const report = {
      date: new Date().toISOString().slice(0, 10),
      machine: machine(),
      versions: versions(),
      options: { seconds: options.seconds, rounds: options.rounds, connections: CONNECTIONS, durable_objects_on: kind },
      targets: facts,
      results: summary(results),
      memory,
      storage,
    };
    console.log(table(report));
    const isVoid = report.results.some((result) => result.void);
    write(report, whole && !isVoid ? join(root, "bench") : WORK);
    if (isVoid) process.exitCode = 1;
    else if (whole) writeReadme();
  } catch (error) {
    line.end();
    console.error(error.message);
    process.exitCode = 1;
  } finally {
    clean();
  }
  process.exit();
}
