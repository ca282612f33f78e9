// The line that says how the run stands, and the report as text.
import { RULE } from "./memory.mjs";

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const number = (value, places = 0) => (value === null || Number.isNaN(value) ? "–" : value.toFixed(places));
const plural = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;

const failure = ({ what, detail, at_s, life, process_s }) => `${clock(at_s)}, process ${life} after ${number(process_s, 1)} s: ${what}: ${detail}`;

/** A line a second on a terminal; elsewhere one of every ten, and each new phase. */
export function progress() {
  const live = process.stdout.isTTY;
  let [last, calls] = ["", 0];
  const known = new Set();
  return {
    show({ phase, tally, ledger, underWay, server, samples }) {
      for (const [kind, { first }] of Object.entries(tally.failures)) {
        if (known.has(kind)) continue;
        known.add(kind);
        console.log(`${live ? "\r\x1b[K" : ""}FAILED  ${kind}: ${failure(first[0])}`);
      }
      const text = `${clock(tally.seconds())}  ${phase}: ${tally.requests} requests, ${underWay} under way, ${ledger.agents.length} agents, process ${server.life} with ${number(samples.at(-1)?.mib ?? null)} MiB, ${plural(tally.failed, "failure")}`;
      const about = phase.split(",")[0];
      if (live) process.stdout.write(`\r\x1b[K${text.slice(0, (process.stdout.columns ?? 200) - 1)}`);
      else if (about !== last || calls % 10 === 0) console.log(text);
      [last, calls] = [about, calls + 1];
    },
    end: () => live && process.stdout.write("\r\x1b[K"),
  };
}

const total = (statuses, status) => Object.values(statuses).reduce((sum, one) => sum + (one[status] ?? 0), 0);

function* lines(report) {
  const { traffic, ledger, memory, statuses, failures } = report;
  yield `${clock(report.seconds)} of traffic at ${number(report.rate)} operations a second${report.capacity ? `, of ${number(report.capacity)} that were measured as capacity` : ""} (seed ${report.seed}, storage on ${report.storage})`;
  yield `${traffic.planned} operations, ${traffic.left_out} left out; ${report.requests} requests in all, ${number(traffic.requests_per_second)} a second during traffic; p50 ${number(traffic.p50_ms, 1)} ms, p99 ${number(traffic.p99_ms, 1)} ms`;
  yield `429: ${total(statuses, 429)}, 503: ${total(statuses, 503)}; ${report.interrupted} broken off by restarts and sent again, ${report.stale} on connections that had been closed`;
  yield "";
  yield "Restarts";
  for (const { life, signal, drained, down_ms } of report.ends) if (down_ms) yield `  process ${life}: ${signal}${signal === "SIGTERM" && !drained ? ", had to be killed" : ""}, back after ${number(down_ms)} ms`;
  yield "";
  yield "Operations";
  for (const [title, count] of Object.entries(report.operations).sort(([, one], [, other]) => other - one)) yield `  ${title.padEnd(24)} ${String(count).padStart(8)}`;
  yield "";
  yield `Ledger: ${ledger.agents} registrations (${ledger.stored} on the disk), ${ledger.left} of them ended; ${ledger.families} families of refresh tokens of clients, ${ledger.families_ended} of them ended; ${ledger.ended} tokens and keys that must never count again; ${ledger.questions} questions in the end`;
  yield "";
  yield `Memory in MiB: ${memory.flat === null ? "too short to tell whether it is flat" : memory.flat ? "flat" : "NOT FLAT"} (${RULE})`;
  for (const life of memory.lives) yield `  process ${String(life.life).padStart(2)}, ${number(life.seconds).padStart(4)} s: at equal age ${number(life.at_equal_age).padStart(4)}, at its end ${number(life.end).padStart(4)}, at most ${number(life.peak).padStart(4)}; ${life.files} files open at most`;
  yield "";
  for (const [kind, { count, first }] of Object.entries(failures)) {
    yield `FAILED  ${kind}: ${count}`;
    for (const one of first.slice(0, 5)) yield `  ${failure(one)}`;
  }
  yield report.failed ? `${plural(report.failed, "failure")}.` : "Nothing was lost, doubled or brought back.";
}

export const text = (report) => [...lines(report)].join("\n");
