// The Python of the tests, in a virtual environment with the packages of requirements.txt; scripts/setup.mjs makes it.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
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

/**
 * Runs a script of `support` that talks in lines of JSON: it is told `input` first; whatever it asks is answered with what `answer` makes of
 * it, and what it says last is the result.
 */
export async function conversation(name, input, answer) {
  const env = { ...process.env, NO_PROXY: "localhost,127.0.0.1", no_proxy: "localhost,127.0.0.1" };
  const child = spawn(join(root, ".venv", "bin", "python"), ["-u", join(root, "tests/workerd/support", name)], { env });
  const [errors, ended] = [[], once(child, "close")];
  child.stderr.on("data", (chunk) => errors.push(chunk));
  const say = (message) => child.stdin.write(`${JSON.stringify(message)}\n`);
  say(input);
  let last;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      last = JSON.parse(line);
      if ("ask" in last) say(await answer(last.ask));
    }
  } finally {
    child.kill();
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`${name}: ${code}\n${Buffer.concat(errors)}`);
  return last;
}
