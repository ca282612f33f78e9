// One run: capacity, then traffic at a share of it while workerd is ended and started, then everything is looked at.
import { join } from "node:path";
import { Failed, client } from "./client.mjs";
import { Ledger } from "./ledger.mjs";
import { judge, sampling } from "./memory.mjs";
import { operations } from "./operations.mjs";
import { random, weighted } from "./random.mjs";
import { deployment } from "./server.mjs";
import { tally as counting } from "./tally.mjs";
import { compare, verify } from "./verify.mjs";

/** Of the capacity. */
const SHARE = 0.8;
/** Operations under way at the beginning, and when capacity is measured: as many as pile up in a restart, since what piles up slows the rest down. */
const FIRST_LANES = 16;
const LANES = 1000;
/** Seconds of it that do not count, and that do: objects are put out of memory after ten idle ones, and that is part of what they cost. */
const WARM_UP = 20;
const MEASURED = 20;
/** No more operations are under way at a time than begin in so many seconds: others are left out, and counted. A restart takes less. */
const BEHIND = 4;
/** However low the rate is, so many may be under way. */
const FEW = 64;
/** Less than this share of what was planned is not the load that was asked for. */
const SUSTAINED = 0.95;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** When workerd is ended, in seconds, and how: at equal distances, but the last process lives three times as long where there is room. */
export function schedule(seconds, restarts) {
  const count = restarts ?? Math.max(2, Math.round(seconds / 60) - (seconds >= 360 ? 3 : 1));
  const parts = count + (restarts === undefined && seconds >= 360 ? 3 : 1);
  return Array.from({ length: count }, (_, index) => ({ at: ((index + 1) * seconds) / parts, signal: index % 3 === 1 ? "SIGKILL" : "SIGTERM" }));
}

/**
 * Runs for so many `seconds`; `rate` is in operations a second, and is measured if it is not given. Objects are stored in `place`, logs go
 * to `folder`; `first` is the number of operations that begin the run, for there has to be something to work with; `sustained` is the share
 * of what was planned that must have been begun. `show` is called every second with how things stand. Gives the report, whose `failures` are empty if all is well.
 */
export async function soak({ seconds, rate, seed, restarts, folder, place, first = 300, sustained = SUSTAINED, show = () => {} }) {
  const chance = random(seed);
  const server = await deployment({ folder, storage: place.folder });
  const tally = counting(server);
  const ledger = new Ledger(chance);
  const { send, close } = client(server, tally);
  const context = { send, ledger, tally, chance };
  const { mix, begin, resolve } = operations(context);
  const choose = weighted(mix.map((operation) => [operation, operation.weight]));
  const arrivals = mix.filter(({ title }) => /^register|quickstart/.test(title));
  server.died = (log) => tally.fail("workerd ended by itself", "workerd", log);
  let [underWay, phase, paced] = [0, "beginning", false];
  const memory = sampling(server, () => paced);
  const ticker = setInterval(() => show({ phase, tally, ledger, underWay, server, samples: memory.samples }), 1000);

  /** One operation. What went wrong in it has been noted, unless it is a fault of this program. */
  async function operate(operation) {
    underWay += 1;
    try {
      const done = await operation.work();
      if (done === false) await operate(ledger.pick(arrivals));
      else tally.did(operation.title);
    } catch (error) {
      if (!(error instanceof Failed)) tally.fail("fault of the test", operation.title, error.stack);
    } finally {
      underWay -= 1;
    }
  }

  async function closedLoop(lanes, count, until) {
    let begun = 0;
    const lane = async () => {
      while (begun < count && performance.now() < until) {
        begun += 1;
        await operate(choose(chance));
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    return begun;
  }

  async function capacity() {
    phase = "measuring capacity";
    await closedLoop(LANES, Infinity, performance.now() + WARM_UP * 1000);
    const began = performance.now();
    const done = await closedLoop(LANES, Infinity, began + MEASURED * 1000);
    return done / ((performance.now() - began) / 1000);
  }

  /** Arrivals at random moments, whether what came before has been answered or not. */
  async function openLoop(rate) {
    const began = performance.now();
    const most = Math.max(FEW, rate * BEHIND);
    let [next, planned] = [began, 0];
    for (const until = began + seconds * 1000; next < until; next -= (Math.log(1 - chance()) / rate) * 1000) {
      if (next - performance.now() > 1) await sleep(next - performance.now());
      planned += 1;
      if (underWay >= most) tally.left_out += 1;
      else operate(choose(chance));
    }
    return planned;
  }

  async function restarting(began) {
    for (const { at, signal } of schedule(seconds, restarts)) {
      await sleep(began + at * 1000 - performance.now());
      phase = `restarting (${signal})`;
      await server.restart(signal);
      phase = "traffic";
    }
  }

  try {
    await begin(server.port);
    await closedLoop(FIRST_LANES, first, Infinity);
    const measured = rate ? null : await capacity();
    const pace = rate ?? measured * SHARE;
    phase = "traffic";
    // Its processes all begin with the same load.
    await server.restart("SIGTERM");
    const before = { requests: tally.requests, at: performance.now() };
    paced = true;
    const [planned] = await Promise.all([openLoop(pace), restarting(performance.now())]);
    paced = false;
    phase = "waiting for the last answers";
    while (underWay) await sleep(20);
    const traffic = { planned, left_out: tally.left_out, requests_per_second: (tally.requests - before.requests) / ((performance.now() - before.at) / 1000), p50_ms: tally.at(0.5), p99_ms: tally.at(0.99) };
    if (planned - tally.left_out < planned * sustained) tally.fail("overload", "traffic", `${tally.left_out} of ${planned} operations were left out: this says nothing about the load that was asked for`);
    phase = "looking at everything";
    await server.restart("SIGKILL");
    await resolve();
    const questions = await verify(context, (done, all) => (phase = `looking at everything, ${done} of ${all}`));
    memory.stop();
    await server.end("SIGTERM");
    phase = "reading the disk";
    const stored = compare(context, join(place.folder, "objects"));
    const size = judge(memory.samples);
    if (size.flat === false) tally.fail("memory", "workerd", "is not flat");
    return {
      seconds, seed, storage: place.kind, capacity: measured, rate: pace, traffic,
      operations: tally.operations, statuses: tally.statuses, requests: tally.requests,
      interrupted: tally.interrupted, stale: tally.stale, unjudged: tally.unjudged, ends: server.ends,
      ledger: { agents: ledger.agents.length, left: ledger.agents.filter(({ ended }) => ended !== null).length, families: ledger.families.length, families_ended: ledger.families.filter(({ ended }) => ended !== null).length, tokens: ledger.tokens.length, ended: ledger.ended.length, questions, stored },
      memory: size, failed: tally.failed, failures: tally.failures,
    };
  } finally {
    clearInterval(ticker);
    memory.stop();
    close();
    await server.stop();
  }
}
