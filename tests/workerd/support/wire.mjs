// What fetch would not send: any Host, any bytes. And what the operating system knows of workerd.
import { readFileSync, readdirSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";

const port = (postern) => Number(new URL(postern.issuer).port);

/** One request with headers as they are given, Host too. */
export function send(postern, path, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: port(postern), path, method, headers, agent: false, timeout: 10_000 }, async (response) => {
      const chunks = await response.toArray();
      resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() });
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer: ${method} ${path}`)));
    sent.on("error", reject);
    sent.end(body);
  });
}

/** These bytes, then silence, or the end of our half of the connection. A status of 0 means that it ended without an answer. */
export function raw(postern, bytes, { end = false, timeout = 10_000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: port(postern), host: "127.0.0.1", allowHalfOpen: true });
    const chunks = [];
    const hung = setTimeout(() => socket.destroy(new Error(`no answer in ${timeout} ms: ${String(bytes).slice(0, 200)}`)), timeout);
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("end", () => socket.end());
    socket.on("error", (error) => (error.code === "ECONNRESET" || error.code === "EPIPE" ? undefined : reject(error)));
    socket.on("close", () => {
      clearTimeout(hung);
      resolve(parse(Buffer.concat(chunks).toString("latin1")));
    });
    socket.write(bytes);
    if (end) socket.end();
  });
}

function parse(text) {
  const [head, ...rest] = text.split("\r\n\r\n");
  const [line, ...fields] = head.split("\r\n");
  const headers = Object.fromEntries(fields.map((field) => [field.split(":")[0].toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]));
  return { status: Number(line.split(" ")[1] ?? 0), headers, body: rest.join("\r\n\r\n") };
}

/** The process that serves this deployment. */
export function workerd(postern) {
  const serves = (pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`entry=127.0.0.1:${port(postern)}`);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && serves(pid));
}

/** Its resident memory in MB. */
export function memory(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]) / 1024;
}
