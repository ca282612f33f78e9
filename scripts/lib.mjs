// What the scripts share: running programs, and saying what is going on.
import { spawn } from "node:child_process";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/**
 * Programs from node_modules come first, node itself included: the tools want a newer one than the machine may have. What wrangler
 * writes down stays in the clone.
 */
export function environment(extra = {}) {
  const PATH = join(root, "node_modules", ".bin") + delimiter + process.env.PATH;
  const env = { ...process.env, PATH, WRANGLER_SEND_METRICS: "false", XDG_CONFIG_HOME: join(root, ".wrangler", "config"), ...extra };
  delete env.CARGO;
  return env;
}

/** Ends the program with one clear sentence. */
export function fail(sentence) {
  console.error(`\n${sentence}`);
  process.exit(1);
}

/** Says what is being done, and how long it took. */
export async function step(what, work) {
  const began = Date.now();
  console.log(`• ${what} …`);
  const result = await work();
  console.log(`  ${what}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return result;
}

/** Runs a program; quietly means that its output is shown only if it fails. Rejects with a last line of what it said. */
export function run(program, args, { quiet = false, env = {}, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const folder = quiet ? mkdtempSync(join(tmpdir(), "postern-")) : null;
    const child = spawn(program, args, { cwd, env: environment(env), stdio: quiet ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"] });
    const file = quiet ? createWriteStream(join(folder, "output")) : null;
    child.stdout?.pipe(file, { end: false });
    child.stderr?.pipe(file, { end: false });
    const done = (error) => {
      const finish = () => {
        if (folder) {
          if (error) process.stderr.write(readFileSync(join(folder, "output"), "utf8").slice(-20000));
          rmSync(folder, { recursive: true, force: true });
        }
        error ? reject(error) : resolve();
      };
      file ? file.end(finish) : finish();
    };
    child.on("error", (error) => done(new Error(`${program} could not be started (${error.code}).`)));
    child.on("close", (code, signal) => done(code === 0 ? null : new Error(`${program} ended with ${signal ?? `exit code ${code}`}.`)));
  });
}

/**
 * Runs the script that runs again on the newer Node that npm has installed, and ends with it; `extra` is added to its environment. Ctrl-C
 * reaches it too: wait until it has cleaned up.
 */
export function again(extra = {}) {
  const node = join(root, "node_modules", ".bin", "node");
  const child = spawn(node, process.argv.slice(1), { stdio: "inherit", env: environment(extra) });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(`${node} could not be started (${error.code}).`));
  child.on("close", (code) => process.exit(code ?? 1));
}

/** What a program prints, or null if it cannot be run. */
export function output(program, args) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env: environment(), stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.on("data", (data) => (text += data));
    child.on("error", () => resolve(null));
    child.on("close", (code) => resolve(code === 0 ? text : null));
  });
}
