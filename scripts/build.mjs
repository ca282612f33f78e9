// Builds the worker into build/: cargo for wasm32, wasm-bindgen, wasm-opt, esbuild, all driven by worker-build.
import { copyFileSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root, run, step } from "./lib.mjs";
import { setup } from "./setup.mjs";

const SOURCES = ["src", "templates", "static", "data", "Cargo.toml", "Cargo.lock", "scripts/build.mjs"];

/** The newest change below a path. */
function newest(path) {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function isFresh(folder) {
  const built = join(root, folder, "index.js");
  // What worker-build leaves there is taken away last: with it, a build has not come to its end.
  return existsSync(built) && !existsSync(join(root, folder, "worker")) && statSync(built).mtimeMs > Math.max(...SOURCES.map((path) => newest(join(root, path))));
}

/** The module without the names of its functions: a tenth of its size, and of no use in production. */
function withoutNames(module) {
  const kept = [module.subarray(0, 8)];
  for (let at = 8; at < module.length; ) {
    const id = module[at];
    const [size, body] = leb128(module, at + 1);
    const [length, name] = id === 0 ? leb128(module, body) : [0, body];
    const custom = id === 0 && module.subarray(name, name + length).toString();
    if (custom !== "name" && custom !== "producers") kept.push(module.subarray(at, body + size));
    at = body + size;
  }
  return Buffer.concat(kept);
}

/** An unsigned LEB128 number, and where it ends. */
function leb128(bytes, at) {
  let number = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    number += (byte & 127) * 2 ** shift;
    if (byte < 128) return [number, at];
  }
}

/** Puts our entry before what worker-build has made: the two become index.js, without what no entry uses. */
async function enter(folder, { ESBUILD_BIN }) {
  const at = (name) => join(root, folder, name);
  renameSync(at("index.js"), at("module.js"));
  const ours = ["entry.js", "shared.js"];
  for (const name of ours) copyFileSync(join(root, "src", "edge", "js", name), at(name));
  const args = ["entry.js", "--bundle", "--minify", "--format=esm", "--outfile=index.js", "--external:./index_bg.wasm", "--external:cloudflare:*"];
  await run(ESBUILD_BIN, args, { quiet: true, cwd: at("") });
  for (const name of ["module.js", "worker", ...ours]) rmSync(at(name), { recursive: true, force: true });
}

/** The worker into build/; with `conformance`, the one with the fixtures of the MCP conformance suite, built quickly, into build-conformance/. */
export async function build({ conformance = false } = {}) {
  const { workerBuild, wasmBindgen } = await setup();
  const folder = conformance ? "build-conformance" : "build";
  if (isFresh(folder)) return;
  const env = {
    WASM_BINDGEN_BIN: wasmBindgen,
    ESBUILD_BIN: join(root, "node_modules", "@esbuild", `${process.platform}-${process.arch}`, "bin", "esbuild"),
    WASM_OPT_BIN: join(root, "node_modules", ".bin", "wasm-opt"),
  };
  if (conformance) {
    const args = ["--profile", "conformance", "--no-opt", "--out-dir", folder, ".", "--features", "conformance"];
    return step("Building the worker with the fixtures of the conformance suite", async () => {
      await run(workerBuild, args, { quiet: true, env });
      await enter(folder, env);
    });
  }
  await step("Building the worker", async () => {
    await run(workerBuild, ["--release"], { quiet: true, env });
    await enter(folder, env);
  });
  const wasm = join(root, folder, "index_bg.wasm");
  writeFileSync(wasm, withoutNames(readFileSync(wasm)));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await build({ conformance: process.argv.includes("--conformance") }).catch((error) => {
    console.error(error.message);
    process.exit(1);
  });
}
