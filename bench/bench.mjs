// `npm run bench`: sets up and builds what is missing, then runs the benchmark on the Node of node_modules.
// Options after `--`: --seconds N (a measurement), --rounds N, --path NAME (repeatable), --no-build; --audit measures an account whose audit
// grows, and nothing else.
import { parseArgs } from "node:util";
import { build } from "../scripts/build.mjs";
import { again, fail } from "../scripts/lib.mjs";
import { PATHS } from "./paths.mjs";

const MARK = "POSTERN_BENCH_BUILT";

const number = (name, text) => (Number(text) > 0 ? Number(text) : fail(`--${name} must be a number above 0.`));

function options() {
  const string = { type: "string" };
  const known = { seconds: string, rounds: string, path: { type: "string", multiple: true }, "no-build": { type: "boolean" }, audit: { type: "boolean" } };
  try {
    const { values } = parseArgs({ options: known });
    const unknown = (values.path ?? []).filter((path) => !(path in PATHS));
    if (unknown.length) fail(`There is no path ${unknown.join(", ")}: the paths are ${Object.keys(PATHS).join(", ")}.`);
    return {
      seconds: number("seconds", values.seconds ?? 1.2),
      rounds: Math.ceil(number("rounds", values.rounds ?? 5)),
      paths: values.path ?? Object.keys(PATHS),
      build: !values["no-build"],
      audit: values.audit === true,
    };
  } catch (error) {
    return fail(error.message);
  }
}

const chosen = options();
if (process.platform !== "linux") fail("The benchmark reads /proc, so it needs Linux.");
if (chosen.build && !process.env[MARK]) await build().catch((error) => fail(error.message));
if (Number(process.versions.node.split(".")[0]) < 22) again({ [MARK]: "1" });
else if (chosen.audit) await import("./audit.mjs").then(({ audit }) => audit());
else await import("./run.mjs").then(({ run }) => run(chosen));
