// Python with the packages of requirements.txt, in a virtual environment of the project that is made when it is missing.
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./postern.mjs";

const run = promisify(execFile);
const folder = join(root, ".venv");
const python = join(folder, "bin", "python");
const requirements = join(root, "tests/workerd/support/requirements.txt");

async function complete() {
  if (!existsSync(python)) return false;
  const [, name, version] = /^([\w-]+)[^=]*==(.+)$/m.exec(readFileSync(requirements, "utf8"));
  const check = `import importlib.metadata as m, cryptography; assert m.version("${name}") == "${version}"`;
  return run(python, ["-c", check]).then(() => true, () => false);
}

/** Runs a script of `support` with `input` as JSON on its standard input; what it writes, as JSON. */
export async function script(name, input) {
  if (!(await complete())) {
    await run("python3", ["-m", "venv", folder]);
    await run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]);
  }
  const env = { ...process.env, NO_PROXY: "localhost,127.0.0.1", no_proxy: "localhost,127.0.0.1" };
  const running = run(python, [join(root, "tests/workerd/support", name)], { env });
  running.child.stdin.end(JSON.stringify(input));
  return JSON.parse((await running).stdout);
}
