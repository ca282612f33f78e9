// `npm run soak`: mixed traffic at 80 % of capacity with restarts of workerd, and a look at everything that was acknowledged.
// Options after `--`: --minutes N, --rate N (operations a second; capacity is not measured then), --seed N, --no-build.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "../scripts/build.mjs";
import { again, fail, root } from "../scripts/lib.mjs";

const MARK = "POSTERN_SOAK_BUILT";
/** It reads the databases of objects with node:sqlite. */
const OLDEST_NODE = 24;

const number = (name, text) => (Number(text) > 0 ? Number(text) : fail(`--${name} must be a number above 0.`));

function options() {
  const string = { type: "string" };
  try {
    const { values } = parseArgs({ options: { minutes: string, rate: string, seed: string, "no-build": { type: "boolean" } } });
    return {
      seconds: number("minutes", values.minutes ?? 10) * 60,
      rate: values.rate === undefined ? undefined : number("rate", values.rate),
      seed: number("seed", values.seed ?? 1),
      build: !values["no-build"],
    };
  } catch (error) {
    return fail(error.message);
  }
}

async function main({ seconds, rate, seed }) {
  const [{ soak }, { progress, text }, { stopAll, storage }] = await Promise.all([import("./soak/run.mjs"), import("./soak/report.mjs"), import("./servers.mjs")]);
  const work = join(root, "bench", "work");
  const folder = join(work, "soak");
  mkdirSync(folder, { recursive: true });
  const place = storage();
  process.on("exit", () => {
    stopAll();
    rmSync(place.folder, { recursive: true, force: true });
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
  const line = progress();
  const report = await soak({ seconds, rate, seed, folder, place, show: line.show }).finally(line.end);
  writeFileSync(join(work, "soak.json"), `${JSON.stringify(report, null, 2)}\n`);
  console.log(`\n${text(report)}`);
  process.exit(report.failed ? 1 : 0);
}

const chosen = options();
if (process.platform !== "linux") fail("The soak test reads /proc, so it needs Linux.");
if (chosen.build && !process.env[MARK]) await build().catch((error) => fail(error.message));
if (Number(process.versions.node.split(".")[0]) < OLDEST_NODE) again({ [MARK]: "1" });
else await main(chosen).catch((error) => fail(error.stack));
