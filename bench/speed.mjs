// What was measured last, as the README tells it.
import { markdown } from "./markdown.mjs";
import { PATHS } from "./paths.mjs";

/** Those that stand beside Postern, by their id; `caches` is whether they need less when a token comes again. */
const OTHERS = [
  { id: "bare", title: "bare JavaScript", caches: true },
  { id: "workers-oauth-provider", title: "workers-oauth-provider" },
  { id: "oidc-provider", title: "oidc-provider (Node)" },
  { id: "better-auth", title: "better-auth (Node)" },
];

const figure = (value) => (value === undefined ? "" : value.toFixed(value < 100 ? 1 : 0));

/** The part of the README, of `results.json`. */
export function speed({ date, machine, options, targets, results }) {
  const find = (target, path) => results.find((result) => result.target === target && result.path === path);
  const ratio = ({ id, caches }, path) => figure((find(id, path) ?? (caches ? undefined : find(id, PATHS[path].like)))?.ratio.median);
  const rows = Object.entries(PATHS).flatMap(([path, { title, aim }]) => {
    const own = find("postern", path);
    if (!own) return [];
    const { requests_per_second, p50_ms, p99_ms, cpu_us, ratio: times } = own;
    const measured = [requests_per_second.median.toFixed(0), figure(p50_ms.median), figure(p99_ms.median), cpu_us.median.toFixed(0), `**${figure(times.median)}**`];
    return [[title, ...measured, aim ?? "", ...OTHERS.map((other) => ratio(other, path))]];
  });
  const head = ["Path", "req/s", "p50 ms", "p99 ms", "CPU µs", "Ratio", "Aim", ...OTHERS.map(({ title }) => title)];
  const { postern, empty } = targets;
  return `On ${date}, on a shared machine of ${machine.cores} cores (${machine.cpu}), medians of ${options.rounds} rounds; ratios are CPU per request to that of the empty worker, and the figures to trust:

${markdown(head, rows)}

The bundle is ${(postern.bundle_gzip_kb / 1000).toFixed(2)} MB compressed (aim 0.6), and a start took ${postern.startup_cpu_ms.toFixed(0)} ms of CPU (${empty.startup_cpu_ms.toFixed(0)} for the empty worker; aim 25 more).`;
}
