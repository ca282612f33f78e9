// The Python of the tests, in a virtual environment with the packages of requirements.txt; scripts/setup.mjs makes it.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./postern.mjs";

/** Runs Python with these arguments and `input` on its standard input; what it writes. */
export async function python(args, input = "") {
  const env = { ...process.env, NO_PROXY: "localhost,127.0.0.1", no_proxy: "localhost,127.0.0.1" };
  const running = promisify(execFile)(join(root, ".venv", "bin", "python"), args, { env });
  running.child.stdin.end(input);
  return (await running).stdout;
}

/** Runs a script of `support` with `input` as JSON; what it writes, as JSON. */
export async function script(name, input) {
  return JSON.parse(await python([join(root, "tests/workerd/support", name)], JSON.stringify(input)));
}
