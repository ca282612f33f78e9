// What came out: a table for people, a file for machines. Neither says where it was run.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { root } from "../scripts/lib.mjs";
import { CHARTS, chart } from "./chart.mjs";
import { PATHS } from "./paths.mjs";
import { spread } from "./statistics.mjs";

export function machine() {
  return { cores: cpus().length, cpu: cpus()[0].model.trim(), memory_gib: Math.round(totalmem() / 2 ** 30), system: process.platform, architecture: process.arch };
}

export function versions() {
  const of = (file) => JSON.parse(readFileSync(join(root, file), "utf8")).version;
  const npm = ["workerd", "oidc-provider", "better-auth", "@cloudflare/workers-oauth-provider"];
  return { postern: of("package.json"), ...Object.fromEntries(npm.map((name) => [name, of(`node_modules/${name}/package.json`)])), node: process.versions.node };
}

/** All rounds of a path on a target in one record. A failure in any of them makes the whole void. */
export function summary(results) {
  const paths = Map.groupBy(results, ({ path }) => path);
  return [...paths.values()].flatMap((measured) => [...Map.groupBy(measured, ({ target }) => target.id).values()].map(record));
}

function record(rounds) {
  const [{ target, path }] = rounds;
  const failures = rounds.reduce((sum, round) => sum + round.failures, 0);
  const all = (field) => spread(rounds.map((round) => round[field]));
  const known = { path, target: target.id, requests: rounds.reduce((sum, round) => sum + round.count, 0) };
  if (failures) return { ...known, void: `${failures} requests failed: ${rounds.find((round) => round.failure).failure}` };
  return { ...known, requests_per_second: all("rate"), p50_ms: all("p50"), p99_ms: all("p99"), cpu_us: all("cpu"), ratio: all("ratio") };
}

function rows(report) {
  const head = ["path", "target", "req/s", "p50 ms", "p99 ms", "CPU us", "ratio", "(min-max)", "aim", ""];
  const body = report.results.map(({ path, target, ...result }) => {
    const { title, aim } = PATHS[path] ?? { title: "static answer" };
    const start = [title, report.targets[target].name];
    if (result.void) return [...start, "void:", result.void.slice(0, 100)];
    const { requests_per_second: rate, p50_ms, p99_ms, cpu_us, ratio } = result;
    const ours = target === "postern" && aim ? [aim.toFixed(1), ratio.median > aim ? "missed" : "met"] : ["", ""];
    const two = (value) => value.toFixed(2);
    return [...start, rate.median.toFixed(0), two(p50_ms.median), two(p99_ms.median), cpu_us.median.toFixed(0), two(ratio.median), `(${two(ratio.min)}-${two(ratio.max)})`, ...ours];
  });
  return [head, ...body];
}

function aligned(rows, left = 2) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[2] === "void:" && column > 2 ? 0 : (row[column] ?? "").length))));
  const cell = (text, column) => (column < left ? text.padEnd(widths[column]) : text.padStart(widths[column]));
  return rows.map((row) => row.map(cell).join("  ").trimEnd());
}

/** What one request of each path does to storage. */
export function countsTable(storage) {
  const head = ["path", "KV reads", "KV writes", "object calls", "alarms set", "alarms rung", "rows read", "rows written", "bytes stored"];
  const row = ([path, one]) => [PATHS[path].title, ...["kv_reads", "kv_writes", "object_calls", "alarms_set", "alarms_rung", "rows_read", "rows_written", "stored_bytes"].map((name) => String(one[name]))];
  return ["", "Storage, per request of Postern", ...aligned([head, ...Object.entries(storage).map(row)], 1), ""].join("\n");
}

const remembered = ({ requests, of, steps_mib }) => `Memory of Postern, MiB, from the first to the last of ${requests} requests (${of.join(", ")}): ${steps_mib.join(", ")}.\n`;

export function table(report) {
  const number = (value, unit) => (value === null ? "" : `${value.toFixed(0)} ${unit}`);
  const facts = Object.values(report.targets).map((target) => [
    target.name,
    "",
    number(target.bundle_gzip_kb, "kB"),
    number(target.startup_ms, "ms"),
    number(target.startup_cpu_ms, "ms"),
    number(target.memory_at_start_mib, "MiB"),
    number(target.memory_after_run_mib, "MiB"),
  ]);
  const titles = ["target", "", "bundle gzip", "start", "CPU of start", "memory", "after the run"];
  return ["", ...aligned(rows(report)), "", ...aligned([titles, ...facts]), countsTable(report.storage), ...(report.memory ? [remembered(report.memory)] : [])].join("\n");
}

/** Everything but the table, into this folder. */
export function write(report, folder) {
  writeFileSync(join(folder, "results.json"), `${JSON.stringify(report, null, 2)}\n`);
  for (const [name, kind] of Object.entries(CHARTS)) writeFileSync(join(folder, name), chart(report, kind));
  const place = folder.slice(root.length + 1);
  console.log(`Written to ${place}: results.json, ${Object.keys(CHARTS).join(", ")}.`);
}
