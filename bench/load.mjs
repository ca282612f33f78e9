// The side of the load generator that the benchmark talks to.
import { once as event } from "node:events";
import { Worker } from "node:worker_threads";

export const CONNECTIONS = 16;

let generator;

/**
 * Sends `requests` in turn, over and over for so many `seconds`, or each at most `once`. An answer with another `status` (2xx if
 * none is given), or without `expect` in it (one of them, if it is a list), is a failure. `collect` names a JSON field whose values
 * come back in the order of the requests.
 */
export async function load(order) {
  if (!generator) {
    generator = new Worker(new URL("generator.mjs", import.meta.url));
    generator.unref();
  }
  generator.postMessage({ connections: CONNECTIONS, ...order });
  // An unreferenced thread does not keep the process alive while it is waited for.
  const alive = setInterval(() => {}, 1000);
  const [result] = await event(generator, "message").finally(() => clearInterval(alive));
  return result;
}

/** Sends each request once, and gives what the answers hold in the field `name`, or the answers. */
export async function collect(port, requests, name = true) {
  const { collected, failures, failure } = await load({ port, requests, once: true, collect: name });
  if (failures) throw new Error(`${failures} of ${requests.length} requests of the preparation failed: ${failure}`);
  return collected;
}
