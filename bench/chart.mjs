// Bar charts as SVG, every path with its targets: CPU per request as a multiple of the empty worker's, and how long an answer takes.
import { PATHS } from "./paths.mjs";

const WIDTH = 920;
const LEFT = 200;
const RIGHT = 60;
const TOP = 108;
const BAR = 15;
const STEP = BAR + 3;
const GAP = 20;

/** The charts: `of` takes a bar and its spread from a result; bars beyond `longest` are cut, or the rest would be too short to read. */
export const CHARTS = {
  "results.svg": {
    title: "CPU per request, as a multiple of an empty JavaScript worker",
    notes: "Less is better. Dashed: the empty worker. Thin lines: least to most of all rounds. Red: what Postern aims at.",
    longest: 16,
    unit: 1,
    aims: true,
    of: ({ ratio }) => ratio,
  },
  "latency.svg": {
    title: "Milliseconds to an answer, 16 connections",
    notes: "Less is better. Bars: half of the answers came by then. Thin lines: up to 99 of 100.",
    longest: 60,
    of: ({ p50_ms, p99_ms }) => ({ median: p50_ms.median, min: p50_ms.median, max: p99_ms.median }),
  },
};

const COLORS = { postern: "#1f6f5c", "oidc-provider": "#c28a1c", "better-auth": "#8e5572", "workers-oauth-provider": "#7d8aa5", bare: "#d5d5cc" };

/** Keeps figures readable across lines. */
const HALO = 'paint-order="stroke" stroke="#fdfdfb" stroke-width="3"';

const escape = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const text = (x, y, content, more = "") => `<text x="${round(x)}" y="${y}" ${more}>${escape(content)}</text>`;
const box = (x, y, width, height, fill) => `<rect x="${round(x)}" y="${y}" width="${round(width)}" height="${height}" fill="${fill}" rx="2"/>`;
const line = (path, color, width, more = "") => `<path d="${path}" stroke="${color}" stroke-width="${width}" fill="none" ${more}/>`;
const round = (value) => Number(value.toFixed(1));

/** The paths that were measured, each with the bars of the targets that have it. */
function groups({ results }, { aims, of }) {
  const find = (path, target) => {
    const found = results.find((result) => result.path === path && result.target === target && !result.void);
    return found && { target, value: of(found) };
  };
  const bars = (path, like) =>
    Object.keys(COLORS).flatMap((target) => {
      const same = find(like, target);
      return find(path, target) ?? (same ? { ...same, note: "keeps no cache" } : []);
    });
  return Object.entries(PATHS)
    .map(([path, { title, aim, like }]) => ({ title, aim: aims && aim, bars: bars(path, like) }))
    .filter(({ bars }) => bars.length);
}

/** One bar, its spread and its figure. */
function bar({ target, value, note }, y, x, longest) {
  const end = x(value.median);
  const parts = [box(LEFT, y, end - LEFT, BAR, COLORS[target])];
  const middle = y + BAR / 2;
  if (value.median > longest) parts.push(line(`M${end - 16} ${y + BAR + 2}l5 ${-BAR - 4}m5 0l-5 ${BAR + 4}`, "#fdfdfb", 3));
  else parts.push(line(`M${round(x(value.min))} ${middle}H${round(x(value.max))}`, "#222", 1, 'opacity=".6"'));
  const figure = Math.max(end, x(Math.min(value.max, longest))) + 6;
  return [...parts, text(figure, middle + 4, `${value.median.toFixed(2)}${note ? `  (${note})` : ""}`, target === "postern" ? `${HALO} font-weight="600"` : HALO)];
}

function group({ title, aim, bars }, y, x, longest) {
  const parts = [text(LEFT - 12, y + (bars.length * STEP) / 2 + 3, title, 'text-anchor="end"')];
  bars.forEach((one, index) => parts.push(...bar(one, y + index * STEP, x, longest)));
  if (aim && bars[0].target === "postern") parts.push(line(`M${round(x(aim))} ${y - 3}v${BAR + 5}`, "#c0392b", 2.5));
  return parts;
}

export function chart(report, kind) {
  const shown = groups(report, kind);
  const most = Math.min(kind.longest, Math.max(2, ...shown.flatMap(({ aim, bars }) => [aim ?? 0, ...bars.map(({ value }) => value.max)])));
  const x = (value) => LEFT + (Math.min(value, most) / most) * (WIDTH - LEFT - RIGHT);
  const parts = [];
  let y = TOP;
  for (const one of shown) {
    parts.push(...group(one, y, x, kind.longest));
    y += one.bars.length * STEP + GAP;
  }
  const bottom = y - GAP + 8;
  return svg(bottom + 67, [...heading(report, kind), ...grid(most, bottom, x, kind.unit), ...parts, foot(report, bottom + 40)], kind.title);
}

function grid(most, bottom, x, unit) {
  const step = most < 10 ? 1 : most <= 20 ? 2 : 10;
  const values = Array.from({ length: Math.floor(most) + 1 }, (_, value) => value).filter((value) => value === unit || value % step === 0);
  return values.flatMap((value) => [
    line(`M${round(x(value))} ${TOP - 10}V${bottom}`, value === unit ? "#444" : "#e4e4df", 1, value === unit ? 'stroke-dasharray="4 3"' : ""),
    text(x(value), bottom + 16, String(value), 'text-anchor="middle" fill="#666"'),
  ]);
}

function heading({ targets }, { title, notes, longest }) {
  const parts = [text(20, 30, title, 'font-size="17" font-weight="600"'), text(20, 51, `${notes} Beyond ${longest} bars are cut.`, 'fill="#555"')];
  let left = 20;
  for (const [target, color] of Object.entries(COLORS).filter(([target]) => target in targets)) {
    const { name } = targets[target];
    parts.push(box(left, 67, 12, 12, color), text(left + 18, 77, name));
    left += 36 + name.length * 6.4;
  }
  return parts;
}

function foot({ date, machine, versions, options }, y) {
  const run = `${date}, ${machine.cores} cores, ${machine.cpu}, medians of ${options.rounds} x ${options.seconds} s`;
  const peers = `workerd ${versions.workerd}, oidc-provider ${versions["oidc-provider"]} and better-auth ${versions["better-auth"]} on Node ${versions.node}, workers-oauth-provider ${versions["@cloudflare/workers-oauth-provider"]}`;
  return [run, peers].map((content, index) => text(20, y + index * 15, content, 'fill="#666" font-size="11"')).join("\n");
}

function svg(height, parts, label) {
  const font = `font-family="system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif" font-size="13" fill="#222"`;
  const size = `viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${font} role="img" aria-label="${escape(label)}">
<rect width="${WIDTH}" height="${height}" fill="#fdfdfb"/>
${parts.join("\n")}
</svg>
`;
}
