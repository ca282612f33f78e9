// Sets up what is missing: npm packages, the wasm32 target, worker-build, wasm-bindgen, and for the tests cargo-deny and a browser. What
// is there is left alone. Nothing is written outside the clone but package caches, the rustup target, and Debian's Chromium where there
// is none and root asks.
import { copyFileSync, existsSync, readFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root, run, step, fail, output } from "./lib.mjs";

const TARGET = "wasm32-unknown-unknown";
const WORKER_BUILD = "0.8.7";
const CARGO_DENY = "0.20.2";

export function tool(name, version) {
  return join(root, ".tools", `${name}-${version}`, "bin", name);
}

/** The version of a crate in Cargo.lock. */
function locked(name) {
  const lock = readFileSync(join(root, "Cargo.lock"), "utf8");
  return new RegExp(`name = "${name}"\\nversion = "([^"]+)"`).exec(lock)?.[1] ?? fail(`Cargo.lock names no ${name}.`);
}

/** These run for seconds, so they need not be made to run fast: that halves the time that building them takes. */
const QUICKLY = { CARGO_PROFILE_RELEASE_OPT_LEVEL: "1", CARGO_PROFILE_RELEASE_LTO: "false", CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16", CARGO_PROFILE_RELEASE_DEBUG: "0" };

/** Installs a program into .tools, once per version. */
async function cargoInstall(crate, name, version, args) {
  const program = tool(name, version);
  if (!existsSync(program)) {
    const folder = join(root, ".tools", `${name}-${version}`);
    mkdirSync(folder, { recursive: true });
    const install = ["install", crate, "--version", version, "--root", folder, ...args];
    await step(`Building ${name} ${version} (once, some minutes)`, () => run("cargo", install, { quiet: true, env: QUICKLY })).catch((error) => {
      rmSync(folder, { recursive: true, force: true });
      fail(`${name} ${version} could not be installed with cargo: ${error.message}`);
    });
  }
  return program;
}

/** PyJWT for the tests, in a virtual environment of the clone. */
async function pythonPackages() {
  const requirements = join(root, "tests", "workerd", "support", "requirements.txt");
  const stamp = join(root, ".venv", "installed.txt");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === readFileSync(requirements, "utf8")) return;
  await step("Installing Python packages for the tests", async () => {
    await run("python3", ["-m", "venv", ".venv"], { quiet: true });
    await run(join(root, ".venv", "bin", "python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], { quiet: true });
    copyFileSync(requirements, stamp);
  }).catch((error) => fail(`The tests need Python 3 with venv and pip: ${error.message}`));
}

/** Chromium for the tests of the pages: where CHROMIUM says, or where Debian puts it. */
async function browser() {
  const program = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (existsSync(program)) return;
  const install = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium";
  const debian = process.env.CHROMIUM === undefined && process.getuid?.() === 0 && (await output("apt-get", ["--version"])) !== null;
  if (debian) await step("Installing Chromium for the tests", () => run("sh", ["-c", install], { quiet: true })).catch(() => {});
  if (!existsSync(program)) fail("The tests of the pages need Chromium: install it, or set CHROMIUM to where it is.");
}

export async function setup({ tests = false } = {}) {
  for (const [program, help] of [["cargo", "install Rust from https://rustup.rs"], ["rustc", "install Rust from https://rustup.rs"], ["npm", "install Node.js 20 or newer"]]) {
    if ((await output(program, ["--version"])) === null) fail(`${program} is missing: ${help}.`);
  }
  // A lock that npm has installed is copied there by npm itself.
  const installed = join(root, "node_modules", ".package-lock.json");
  const wanted = Object.entries(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages).filter(([path, entry]) => path && !entry.optional);
  const have = existsSync(installed) ? JSON.parse(readFileSync(installed, "utf8")).packages : {};
  if (wanted.some(([path, entry]) => have[path]?.version !== entry.version)) {
    await step("Installing npm packages", () => run("npm", ["ci", "--no-audit", "--no-fund"], { quiet: true })).catch((error) => fail(`npm ci failed: ${error.message}`));
  }
  const libdir = (await output("rustc", ["--print", "target-libdir", "--target", TARGET]))?.trim();
  if (!libdir || !existsSync(libdir)) {
    await step(`Adding the Rust target ${TARGET}`, () => run("rustup", ["target", "add", TARGET], { quiet: true })).catch(() =>
      fail(`The Rust target ${TARGET} is missing and rustup could not add it: install it, or a Rust that has it.`),
    );
  }
  const tools = {
    workerBuild: await cargoInstall("worker-build", "worker-build", WORKER_BUILD, []),
    wasmBindgen: await cargoInstall("wasm-bindgen-cli", "wasm-bindgen", locked("wasm-bindgen"), ["--no-default-features", "--bin", "wasm-bindgen"]),
  };
  if (tests) await pythonPackages();
  if (tests) await browser();
  if (tests) tools.cargoDeny = await cargoInstall("cargo-deny", "cargo-deny", CARGO_DENY, ["--locked"]);
  return tools;
}
