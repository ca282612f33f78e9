// Bodies without end and without a length: refused as soon as they show, and never held.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { call, registerKey } from "./support/agent.mjs";
import { deploy } from "./support/postern.mjs";
import { memory, workerd } from "./support/wire.mjs";

const FRAME = Buffer.from(`10000\r\n${"a".repeat(0x10000)}\r\n`);
const MB = 1024 * 1024;

/** Sends 100 MB in chunks, or as much as is taken. */
function flood(postern, path, type) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(postern.issuer).port), "127.0.0.1");
    const hung = setTimeout(() => socket.destroy(reject(new Error(`${path} neither answered nor hung up`))), 30_000);
    let [answer, sent] = ["", 0];
    const go = () => {
      while (sent < 100 * MB) {
        sent += 0x10000;
        if (!socket.write(FRAME)) return socket.once("drain", go);
      }
      socket.end("0\r\n\r\n");
    };
    socket.on("connect", () => {
      socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`);
      go();
    });
    socket.on("data", (data) => (answer += data));
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(hung);
      resolve({ status: Number(answer.split(" ")[1] ?? 0), sent });
    });
  });
}

test("twenty parallel bodies of 100 MB without a length are refused, and memory stays flat", async () => {
  const postern = await deploy({ persist: false });
  try {
    const { credential } = await registerKey(postern);
    const filling = JSON.stringify({ type: "robot" }).padEnd(5000);
    for (let round = 0; round < 10; round += 1) await Promise.all(Array.from({ length: 20 }, () => postern.json("/agent/identity", filling).then((answer) => answer.arrayBuffer())));
    const pid = workerd(postern);
    const before = memory(pid);
    let most = before;
    const watch = setInterval(() => (most = Math.max(most, memory(pid))), 20);
    const statuses = {};
    for (const [path, type, right] of [["/agent/identity", "application/json", 413], ["/oauth2/token", "application/x-www-form-urlencoded", 413], ["/mcp", "application/json", 413], ["/agent/auth", "text/plain", 413], ["/health", "text/plain", 405], ["/nowhere", "text/plain", 404]]) {
      const answers = await Promise.all(Array.from({ length: 20 }, () => flood(postern, path, type)));
      for (const { status, sent } of answers) {
        assert.ok([right, 0].includes(status), `${path}: ${status}`);
        assert.ok(sent < 100 * MB, "the rest was not waited for");
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    }
    clearInterval(watch);
    assert.ok(statuses[413] > 20, `most hear why: ${JSON.stringify(statuses)}`);
    assert.ok(most - before < 60, `${before.toFixed()} MB before, ${most.toFixed()} MB at most`);
    assert.equal(await call(postern.issuer, credential), 200);
  } finally {
    await postern.stop();
  }
});

test("a body whose length says that it is too long is refused before it comes", async () => {
  const postern = await deploy({ persist: false });
  try {
    const answer = await new Promise((resolve, reject) => {
      const socket = connect(Number(new URL(postern.issuer).port), "127.0.0.1");
      socket.write("POST /agent/identity HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n{");
      socket.on("data", (data) => resolve(String(data)) || socket.destroy());
      socket.on("error", reject);
      setTimeout(() => reject(new Error("it waits for the body")), 5000).unref();
    });
    assert.match(answer, /^HTTP\/1\.1 413 /);
    assert.match(answer, /"error":"content_too_large"/);
  } finally {
    await postern.stop();
  }
});
