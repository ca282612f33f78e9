// The parts of the README that are made of what was counted (counts.json) and measured (results.json): `node bench/readme.mjs` writes them,
// `--check` only says whether they are right.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cost } from "./cost.mjs";
import { speed } from "./speed.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const FILE = join(root, "README.md");
const END = "<!-- to here -->";

/** The README with a part as it should be. */
function renewed(readme, name, text) {
  const begin = `<!-- bench/readme.mjs writes the ${name} from here -->`;
  const start = readme.indexOf(begin);
  const end = readme.indexOf(END, start);
  if (start < 0 || end < 0) throw new Error(`the README lacks the marks of the ${name}`);
  return `${readme.slice(0, start)}${begin}\n${text}\n${readme.slice(end)}`;
}

/** The README with all of them. */
function right(readme) {
  const read = (name) => JSON.parse(readFileSync(join(root, "bench", name), "utf8"));
  const [counts, results] = [read("counts.json"), read("results.json")];
  return renewed(renewed(readme, "speed", speed(results)), "cost", cost(counts, results));
}

export function write() {
  writeFileSync(FILE, right(readFileSync(FILE, "utf8")));
}

export const isRight = () => right(readFileSync(FILE, "utf8")) === readFileSync(FILE, "utf8");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes("--check")) write();
  else if (!isRight()) {
    console.error("Speed and cost in the README are not what was measured and counted: node bench/readme.mjs");
    process.exitCode = 1;
  }
}
