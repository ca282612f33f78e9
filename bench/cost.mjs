// What a deployment costs on Cloudflare's published prices, of the counts of storage operations and the CPU that was measured: a part of the README.
import { markdown } from "./markdown.mjs";
import { PATHS } from "./paths.mjs";

const MILLION = 1_000_000;

/** Workers Paid: dollars a month, what is included in it, and dollars for each beyond. */
const AS_OF = "2026-11";
const PLAN = 5;
const PRICES = {
  requests: { title: "requests", included: 10 * MILLION, each: 0.3 / MILLION },
  cpu: { title: "CPU, ms", included: 30 * MILLION, each: 0.02 / MILLION },
  kv_reads: { title: "KV reads", included: 10 * MILLION, each: 0.5 / MILLION },
  kv_writes: { title: "KV writes", included: MILLION, each: 5 / MILLION },
  calls: { title: "Durable Object requests", included: MILLION, each: 0.15 / MILLION },
  duration: { title: "Durable Object duration, GB-s", included: 400_000, each: 12.5 / MILLION },
  rows_read: { title: "rows read", included: 25_000 * MILLION, each: 0.001 / MILLION },
  rows_written: { title: "rows written", included: 50 * MILLION, each: 1 / MILLION },
  stored: { title: "stored, GB", included: 5, each: 0.2 },
};

/** An object counts as 128 MB for as long as it works, and a call is taken as so many seconds, which is much. */
const OBJECT_GB = 0.128;
const CALL_SECONDS = 0.005;

/** What is assumed of a month: so many new agents, and how often each takes which path. Change it, and run this again. */
const PROFILE = {
  agents: MILLION,
  each: { discovery: 1, "auth-md": 1, register: 1, "token-assertion": 30, "bearer-first": 150, "bearer-seen": 150 },
};

/** What one request of a path takes of each that has a price. An alarm that is set is a row written, and a request when it rings. */
function taken(count, cpu_us) {
  const calls = count.object_calls + Math.max(count.alarms_set, count.alarms_rung);
  return {
    requests: 1,
    cpu: cpu_us / 1000,
    kv_reads: count.kv_reads,
    kv_writes: count.kv_writes,
    calls,
    duration: calls * CALL_SECONDS * OBJECT_GB,
    rows_read: count.rows_read,
    rows_written: count.rows_written + count.alarms_set,
    stored: Math.max(0, count.stored_bytes) / 1e9,
  };
}

/** Every path that is counted; `cpu` is missing until it has been measured. */
function paths({ per_request }, { results }) {
  return Object.keys(PATHS).filter((path) => path in per_request).map((path) => {
    const measured = results.find((result) => result.path === path && result.target === "postern")?.cpu_us?.median;
    return { path, measured: measured !== undefined, takes: taken(per_request[path], measured ?? 0) };
  });
}

const dollars = (value) => `$${value.toFixed(2)}`;
const number = (value) => Number(value.toFixed(2)).toLocaleString("en-US");

/** What a million requests of it cost when nothing is included any more; what they leave stored is not in it. */
function perPath(known) {
  const columns = ["cpu", "kv_reads", "kv_writes", "calls", "rows_read", "rows_written"];
  const sum = (takes) => Object.entries(takes).reduce((all, [name, amount]) => (name === "stored" ? all : all + amount * PRICES[name].each * MILLION), 0);
  const rows = known.map(({ path, measured, takes }) => [
    PATHS[path].title,
    ...columns.map((name) => (name === "cpu" && !measured ? "" : number(takes[name]))),
    `${dollars(sum(takes))}${measured ? "" : " and its CPU"}`,
  ]);
  return markdown(["Path", "CPU ms", "KV reads", "KV writes", "object requests", "rows read", "rows written", "a million cost"], rows);
}

/** The bill of the profile, line by line. */
function bill(known) {
  const one = (path) => known.find((other) => other.path === path);
  const amount = (name) => Object.entries(PROFILE.each).reduce((all, [path, times]) => all + PROFILE.agents * times * one(path).takes[name], 0);
  const lines = Object.entries(PRICES).map(([name, { title, included, each }]) => {
    const used = amount(name);
    return { title, used, included, cost: Math.max(0, used - included) * each };
  });
  const total = lines.reduce((all, { cost }) => all + cost, PLAN);
  const round = (value) => Math.round(value).toLocaleString("en-US");
  const rows = lines.map(({ title, used, included, cost }) => [title, round(used), round(included), dollars(cost)]);
  const unmeasured = Object.keys(PROFILE.each).filter((path) => !one(path).measured).map((path) => PATHS[path].title);
  const without = unmeasured.length ? `\n\nThe CPU of ${unmeasured.join(", ")} has not been measured yet, and is not in it.` : "";
  return [markdown(["What", "Used", "Included", "Cost"], [...rows, ["the plan", "", "", dollars(PLAN)], ["**together**", "", "", `**${dollars(total)}**`]]) + without, total];
}

/** The part of the README, of `counts.json` and `results.json`. */
export function cost(counts, results) {
  const known = paths(counts, results);
  const [lines, total] = bill(known);
  const habits = Object.entries(PROFILE.each).map(([path, times]) => `${times} × ${PATHS[path].title}`).join(", ");
  return `${number(PROFILE.agents)} new agents in a month cost **${dollars(total)}** on Cloudflare's published prices (Workers Paid, as of ${AS_OF}), if each does this: ${habits}.

${lines}

One request of a path, and what a million of them cost when all that is included is used up:

${perPath(known)}

Storage operations are counted on the release build ([how](bench/README.md)): they are those of a warm worker whose objects are in memory, and hardly depend on the machine; an
object that is not reads two rows more, or as many as its account has tables. A request to an object is taken as ${CALL_SECONDS * 1000} ms of its ${OBJECT_GB * 1000} MB, an alarm as a row when
it is set and a request when it rings. CPU is that of the last benchmark, with storage and its threads in it, which Cloudflare does not charge: it is too much
rather than too little. \`node bench/readme.mjs\` writes this; what is assumed of an agent is \`PROFILE\` in \`bench/cost.mjs\`.`;
}
