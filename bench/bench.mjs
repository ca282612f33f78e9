// `npm run bench`: sets up and builds what is missing, then runs the benchmark on the Node of node_modules.
// Options after `--`: --seconds N (a measurement), --rounds N, --path NAME (a path, or what some begin with; repeatable), --no-build; --memory
// watches memory though not all paths are measured; --counts counts what is done to storage, and nothing else; --audit measures an account
// whose audit grows, and nothing else.
import { parseArgs } from "node:util";
import { build } from "../scripts/build.mjs";
import { again, fail } from "../scripts/lib.mjs";
import { PATHS, chosen } from "./paths.mjs";

const MARK = "POSTERN_BENCH_BUILT";

const number = (name, text) => (Number(text) > 0 ? Number(text) : fail(`--${name} must be a number above 0.`));

function options() {
  const string = { type: "string" };
  const known = { seconds: string, rounds: string, path: { type: "string", multiple: true }, "no-build": { type: "boolean" }, audit: { type: "boolean" }, counts: { type: "boolean" }, memory: { type: "boolean" } };
  try {
    const { values } = parseArgs({ options: known });
    const paths = values.path ? chosen(values.path) : Object.keys(PATHS);
    if (!paths) return fail(`--path takes a path, or what some paths begin with: the paths are ${Object.keys(PATHS).join(", ")}.`);
    return {
      seconds: number("seconds", values.seconds ?? 1.2),
      rounds: Math.ceil(number("rounds", values.rounds ?? 5)),
      paths,
      build: !values["no-build"],
      audit: values.audit === true,
      counts: values.counts === true,
      memory: values.memory === true,
    };
  } catch (error) {
    return fail(error.message);
  }
}

const asked = options();
if (process.platform !== "linux") fail("The benchmark reads /proc, so it needs Linux.");
if (asked.build && !process.env[MARK]) await build().catch((error) => fail(error.message));
if (Number(process.versions.node.split(".")[0]) < 22) again({ [MARK]: "1" });
else if (asked.audit) await import("./audit.mjs").then(({ audit }) => audit());
else await import("./run.mjs").then(({ run }) => run(asked));
