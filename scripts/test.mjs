// npm test: everything that must hold before a change lands. `-- --only NAME` repeats one step, `--long` runs more rounds.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { fail, output, root, run, step } from "./lib.mjs";
import { setup } from "./setup.mjs";

const long = process.argv.includes("--long");
const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1] : null;
const node = join(root, "node_modules", ".bin", "node");
const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
const remarks = [];

// The same inputs on every run; the long run has more of them.
const rounds = {
  ROUNDS: long ? "100" : "5",
  // Of the simulations: through the front door, and put to what decides what is stored.
  REGISTRATIONS: long ? "20000" : "2000",
  DECIDED: long ? "1000000" : "100000",
  PROPTEST_CASES: long ? "2000" : "64",
  PROPTEST_RNG_SEED: "42",
  BOLERO_RANDOM_SEED: "42",
  BOLERO_RANDOM_ITERATIONS: long ? "100000" : "3000",
};

/** Licences, bans and sources always; advisories where their databases can be reached. */
async function audit({ cargoDeny }) {
  await run("cargo", ["fetch", "--locked"], { quiet: true });
  await run(cargoDeny, ["--offline", "check", "licenses", "bans", "sources"], { quiet: true });
  if ((await output(cargoDeny, ["fetch", "db"])) === null) remarks.push("advisories for crates: not checked, their database cannot be reached");
  else await run(cargoDeny, ["check", "advisories"], { quiet: true });
  const report = JSON.parse((await output("sh", ["-c", "npm audit --json || true"])) || "{}");
  const found = report.metadata?.vulnerabilities;
  if (!found) remarks.push("advisories for npm packages: not checked, the registry does not tell");
  else if (found.high + found.critical > 0) throw new Error("npm audit reports high or critical advisories: npm audit shows them.");
}

function nodeTests(folder, concurrency) {
  const files = readdirSync(join(root, folder)).filter((name) => name.endsWith(".test.mjs")).sort().map((name) => join(folder, name));
  // A file that hangs fails after a quarter of an hour; the long run has files that take longer.
  const patience = long ? [] : ["--test-timeout=900000"];
  return run(node, ["--test", `--test-concurrency=${concurrency}`, ...patience, "--test-reporter=spec", ...files], { env: rounds });
}

const steps = {
  format: () => run("cargo", ["fmt", "--check"]),
  clippy: () => run("cargo", ["clippy", "--locked", "--all-targets", "--", "-D", "warnings"], { quiet: true }),
  "clippy-wasm": () => run("cargo", ["clippy", "--locked", "--lib", "--target", "wasm32-unknown-unknown", "--", "-D", "warnings"], { quiet: true }),
  docs: () => run("cargo", ["doc", "--locked", "--no-deps", "--lib", "--document-private-items"], { quiet: true, env: { RUSTDOCFLAGS: "-D warnings" } }),
  audit,
  "disposable-domains": () => run(node, ["scripts/disposable.mjs", "--check"]),
  native: () => run("cargo", ["test", "--locked"], { env: rounds }),
  build: () => build(),
  "build-conformance": () => build({ conformance: true }),
  // Many of them wait for something: three at a time keep two cores busy.
  workerd: () => nodeTests("tests/workerd", 3),
  "dry-run": () => run(node, [wrangler, "deploy", "--dry-run", "--outdir", join("target", "dry-run")], { quiet: true }),
  readme: () => nodeTests("tests/readme", 1),
};

if (only && !steps[only]) fail(`There is no step ${only}; there are ${Object.keys(steps).join(", ")}.`);
const tools = await setup({ tests: true });
const results = [];
for (const [name, work] of Object.entries(steps)) {
  if (only && name !== only) continue;
  const began = Date.now();
  const error = await step(name, () => work(tools)).then(() => null, (error) => error);
  if (error) console.error(error.message);
  results.push({ name, error, seconds: (Date.now() - began) / 1000 });
}

console.log("\nSummary");
for (const { name, error, seconds } of results) {
  console.log(`  ${error ? "FAILED" : "passed"}  ${name.padEnd(20)} ${seconds.toFixed(1).padStart(7)} s${error ? `   repeat it alone: npm test -- --only ${name}` : ""}`);
}
for (const remark of remarks) console.log(`  remark  ${remark}`);
const failed = results.filter(({ error }) => error).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
