// What an account costs as its audit grows: memory of the server and latency of what is asked of it, at 1,000, 10,000 and 100,000 events.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root as clone } from "../scripts/lib.mjs";
import { collect, load } from "./load.mjs";
import { get, render, times } from "./requests.mjs";
import { freePort, memory, stopAll, storage } from "./servers.mjs";
import { claimedRoot, roots } from "./targets/managed.mjs";
import { variant } from "./targets/postern.mjs";

const SIZES = [1_000, 10_000, 100_000];
/** What is flat: no more than so many times what it was at the first size, and so much more at most, which is what chance does. */
const TIMES = 2;
const MILLISECONDS = 1;
const MEBIBYTES = 32;

const target = variant([], async () => ({}), { MAILS_PER_NETWORK_PER_HOUR: "100000", MAILS_PER_HOUR: "1000000" });

const asks = ({ agent, api_key }, other, last) => {
  const key = { "X-Agent-Key": api_key };
  return {
    "50 newest": [get("/api/v1/audit/events?limit=50&order=desc", key)],
    "500, exported": [get("/api/v1/audit/events?limit=500&export=ndjson", key)],
    "a page in the middle": [get(`/api/v1/audit/events?limit=50&after=${last}`, key)],
    "by target": [get(`/api/v1/audit/events?limit=50&target_id=${agent.id}`, key)],
    "an event that is rare": [get("/api/v1/audit/events?limit=50&event_type=agent.suspended", key)],
    "a change, audited": times(64, (index) => render("PATCH", `/api/v1/agents/${agent.id}`, { ...key, "Content-Type": "application/json" }, JSON.stringify({ description: `Measured ${index}` }))),
    "somebody else's agents": [get("/api/v1/agents", { "X-Agent-Key": other.api_key })],
  };
};

/** So many more events, one for each change. */
async function grow(port, { agent, api_key }, count) {
  const change = (index) => render("PATCH", `/api/v1/agents/${agent.id}`, { "X-Agent-Key": api_key, "Content-Type": "application/json" }, JSON.stringify({ description: `Change ${index}` }));
  for (let left = count; left > 0; left -= 5000) await collect(port, times(Math.min(left, 5000), change), "meta");
}

/** A cursor after half of what is there. */
async function middle(port, owner, events) {
  let after = "";
  for (let seen = 0; seen < events / 2; seen += 500) {
    const [{ meta }] = await collect(port, [get(`/api/v1/audit/events?limit=500${after && `&after=${after}`}`, { "X-Agent-Key": owner.api_key })]);
    if (!meta.next_cursor) break;
    after = meta.next_cursor;
  }
  return after;
}

async function measured(port, pid, owner, other, events) {
  const result = { events };
  for (const [name, requests] of Object.entries(asks(owner, other, await middle(port, owner, events)))) {
    const { p50, p99, failures, failure } = await load({ port, requests, connections: 4, seconds: 2 });
    if (failures) throw new Error(`${name}: ${failure}`);
    result[name] = { p50, p99 };
  }
  return { ...result, memory: memory(pid) };
}

const row = (cells) => cells.map((cell, index) => (index ? String(cell).padStart(12) : cell.padEnd(24))).join("");

export async function audit() {
  const { folder } = storage();
  process.on("exit", () => {
    stopAll();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
  const place = join(clone, "bench", "work", "audit");
  mkdirSync(place, { recursive: true });
  const where = { folder: place, storage: folder, port: await freePort() };
  let server = await target.start(where);
  const owner = await claimedRoot(server.port, "auditor@example.com");
  const [other] = await roots(server.port, 1);
  const results = [];
  let there = 0;
  for (const size of SIZES) {
    console.log(`growing to ${size} events`);
    await grow(server.port, owner, size - there);
    there = size;
    // A new process, or its memory would be that of all the requests before.
    await server.stop();
    server = await target.start(where);
    results.push(await measured(server.port, server.pid, owner, other, size));
  }
  const [first, last] = [results[0], results.at(-1)];
  const names = Object.keys(first).filter((name) => name !== "events" && name !== "memory");
  console.log(`\n${row(["p50, ms", ...SIZES])}`);
  for (const name of names) console.log(row([name, ...results.map((result) => result[name].p50.toFixed(2))]));
  console.log(row(["memory, MiB", ...results.map((result) => result.memory.toFixed(0))]));
  const grown = names.filter((name) => last[name].p50 > first[name].p50 * TIMES + MILLISECONDS);
  if (last.memory > first.memory + MEBIBYTES) grown.push("memory");
  console.log(grown.length ? `\nNot flat: ${grown.join(", ")}.` : "\nAll of it is flat.");
  process.exit(grown.length ? 1 : 0);
}
