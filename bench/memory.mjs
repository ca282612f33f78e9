// What a process holds after many requests: what grows with them is a leak.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { load } from "./load.mjs";
import { freePort, memory } from "./servers.mjs";
import { digits } from "./statistics.mjs";

const REQUESTS = 100_000;
const STEPS = 4;
/** Until then caches fill and the compiler works. */
const WARM = 2_000;
const CHEAP = ["discovery", "jwks", "auth-md", "introspect-seen", "bearer-seen"];

/** One of each in turn, whatever the lengths of their lists. */
const mixed = (lists, count) => Array.from({ length: count }, (_, index) => lists[index % lists.length][Math.floor(index / lists.length) % lists[index % lists.length].length]);

/** Resident memory of one process before, during and after 100,000 requests that leave nothing behind, in MiB. */
export async function memoryAfter(target, objects, work, say) {
  const server = await target.start({ folder: join(work, "memory"), storage: mkdtempSync(join(objects, "memory-")), port: await freePort() });
  const measures = await target.measures(server, 1);
  const lists = CHEAP.map((path) => measures[path].requests);
  const send = async (count) => {
    const { failures, failure } = await load({ port: server.port, requests: mixed(lists, count), once: true });
    if (failures) throw new Error(`${failures} requests failed while memory was watched: ${failure}`);
  };
  await send(WARM);
  const resident = [memory(server.pid)];
  for (let step = 1; step <= STEPS; step += 1) {
    say(`memory: ${((step - 1) * REQUESTS) / STEPS} of ${REQUESTS} requests`);
    await send(REQUESTS / STEPS);
    resident.push(memory(server.pid));
  }
  await server.stop();
  return { requests: REQUESTS, of: CHEAP, before_mib: digits(resident[0]), after_mib: digits(resident.at(-1)), steps_mib: resident.map(digits) };
}
