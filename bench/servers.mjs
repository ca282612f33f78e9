// Starts and ends the servers under test, and reads what the kernel counts for them.
import { spawn } from "node:child_process";
import { accessSync, closeSync, constants, mkdtempSync, openSync, readFileSync, readdirSync } from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HOST } from "./requests.mjs";

const running = new Set();
/** Of /proc/PID/stat: Linux shows hundredths of a second, whatever it counts in. */
const TICK_MICROSECONDS = 10_000;
const PATIENCE = 20_000;

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A folder in memory where there is one: what a commit to a disk costs is not what is measured. */
export function storage() {
  try {
    accessSync("/dev/shm", constants.W_OK);
    return { folder: mkdtempSync("/dev/shm/postern-bench-"), kind: "tmpfs" };
  } catch {
    return { folder: mkdtempSync(join(tmpdir(), "postern-bench-")), kind: "temporary folder, perhaps on a disk" };
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const answers = (port, path) =>
  new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path, agent: false, headers: { Host: HOST } }, (response) => response.resume().on("end", () => resolve(response.statusCode))).on("error", () => resolve(0));
  });

/** Starts a server; it is up once `path` answers 200. What it writes to stderr goes to `log`, what it writes to stdout nowhere. */
export async function start(program, args, { port, path, log }) {
  const file = openSync(log, "w");
  const began = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "ignore", file] });
  closeSync(file);
  running.add(child);
  const ended = new Promise((resolve) => child.on("close", resolve).on("error", resolve)).then(() => running.delete(child));
  const alive = () => running.has(child);
  while ((await answers(port, path)) !== 200) {
    if (!alive() || performance.now() - began > PATIENCE) throw new Error(`a server did not start: ${readFileSync(log, "utf8").slice(-2000)}`);
    await sleep(2);
  }
  return {
    pid: child.pid,
    port,
    startup: { wall_ms: performance.now() - began, cpu_ms: exactCpu(child.pid) / 1e6 },
    alive,
    ended,
    /** Ends it with this signal; what is not gone after a while is killed. Whether it went by itself. */
    async stop(signal = "SIGTERM", patience = 2000) {
      let late = false;
      child.kill(signal);
      const timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, patience);
      await ended;
      clearTimeout(timer);
      return !late;
    },
  };
}

/** Ends what is still running, at once. */
export function stopAll() {
  for (const child of running) child.kill("SIGKILL");
}

/** The process and those that it started. */
function family(pid) {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    try {
      return readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean);
    } catch {
      return [];
    }
  });
  return [pid, ...children.flatMap((child) => family(Number(child)))];
}

/** CPU of a server since its start, user and system, in microseconds. */
export function cpu(pid) {
  const ticks = (one) => {
    const fields = readFileSync(`/proc/${one}/stat`, "utf8").split(") ").pop().split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  return family(pid).reduce((sum, one) => sum + ticks(one), 0) * TICK_MICROSECONDS;
}

/** The same in nanoseconds, of the threads that live: exact enough for a start. */
function exactCpu(pid) {
  const thread = (name) => Number(readFileSync(`/proc/${pid}/task/${name}/schedstat`, "utf8").split(" ")[0]);
  return readdirSync(`/proc/${pid}/task`).reduce((sum, name) => sum + thread(name), 0);
}

/** Resident memory in MiB. */
export function memory(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}
