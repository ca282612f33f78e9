// What is counted while it runs, and every failure.
import { Failed } from "./client.mjs";

/** So many failures of a kind are kept with what was said; all are counted. */
const KEPT = 20;
/** Latencies of the last so many requests. */
const RECENT = 100_000;

export function tally(server) {
  const began = performance.now();
  const failures = new Map();
  const latencies = [];
  let taken = 0;
  const state = {
    operations: {},
    statuses: {},
    interrupted: 0,
    /** Connections that were closed while nobody used them. */
    stale: 0,
    /** Reads whose subject changed meanwhile. */
    unjudged: 0,
    left_out: 0,
    requests: 0,
    get failed() {
      return [...failures.values()].reduce((sum, { count }) => sum + count, 0);
    },
    get failures() {
      return Object.fromEntries(failures);
    },
    seconds: () => (performance.now() - began) / 1000,
    answer(what, status) {
      state.requests += 1;
      const known = (state.statuses[what] ??= {});
      known[status] = (known[status] ?? 0) + 1;
    },
    took(ms) {
      latencies[taken++ % RECENT] = ms;
    },
    /** A share of the latencies of all requests that came through at once. */
    at(share) {
      const sorted = [...latencies].sort((one, other) => one - other);
      return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] : null;
    },
    did(name) {
      state.operations[name] = (state.operations[name] ?? 0) + 1;
    },
    fail(kind, what, detail) {
      const known = failures.get(kind) ?? { count: 0, first: [] };
      known.count += 1;
      const process_s = (performance.now() - server.began) / 1000;
      if (known.first.length < KEPT) known.first.push({ what, detail, at_s: state.seconds(), life: server.life, process_s });
      failures.set(kind, known);
      return new Failed(`${kind}: ${what}: ${detail}`);
    },
  };
  return state;
}
