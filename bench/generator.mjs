// The load generator, in a thread of its own: so many connections, each with one request under way (a closed loop).
// It speaks HTTP/1.1 on bare sockets, because node:http costs more CPU per request than the servers under test, and would be
// what is measured.
import { connect } from "node:net";
import { parentPort } from "node:worker_threads";

/** Longer than any answer takes, in milliseconds. */
const PATIENCE = 30_000;

/** The status and body of an answer, or null while some of it is missing. */
function answer(text) {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return null;
  const status = Number(text.slice(9, 12));
  const body = text.slice(head + 4);
  const length = /^content-length: *(\d+)/im.exec(text.slice(0, head));
  // No answer here has a body with a bare CRLF in it, so only the last chunk ends like this.
  const whole = length ? body.length >= Number(length[1]) : body.endsWith("0\r\n\r\n") || status === 204 || status === 304;
  return whole ? { status, body, chunked: !length } : null;
}

/** A field of a JSON body, or all of it. A chunked body is put together first. */
function field({ body, chunked }, name) {
  const value = JSON.parse(chunked ? body.replace(/(?:^|\r\n)[0-9a-f]+\r\n/gi, "") : body);
  return name === true ? value : value[name];
}

function run({ port, requests, once, seconds, connections, status, expect, collect }) {
  const latencies = [];
  const collected = [];
  let taken = 0;
  let failures = 0;
  let failure = null;
  let last = 0;
  const began = performance.now();
  const until = seconds ? began + seconds * 1000 : Infinity;
  const take = () => (performance.now() >= until || (once && taken >= requests.length) ? -1 : taken++ % requests.length);
  const right = (got) => (status ? got === status : got >= 200 && got < 300);
  const failed = (what) => {
    failures += 1;
    failure ??= what;
  };

  const lane = () =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1").setNoDelay(true).setEncoding("latin1");
      let index, sent;
      let text = "";
      const next = () => {
        index = take();
        if (index < 0) return socket.destroy();
        text = "";
        sent = performance.now();
        socket.write(requests[index], "latin1");
      };
      socket.on("connect", next);
      socket.on("data", (chunk) => {
        text += chunk;
        const got = answer(text);
        if (!got) return;
        last = performance.now();
        latencies.push(last - sent);
        const good = right(got.status) && (!expect || [expect].flat().some((text) => got.body.includes(text)));
        if (!good) failed(`${got.status} ${got.body.slice(0, 200)}`);
        else if (collect) collected[index] = field(got, collect);
        next();
      });
      socket.setTimeout(PATIENCE, () => socket.destroy(new Error("no answer in time")));
      socket.on("error", (error) => failed(error.code ?? error.message));
      socket.on("close", (broken) => {
        if (index >= 0 && !broken) failed("the server closed the connection");
        resolve();
      });
    });

  return Promise.all(Array.from({ length: connections }, lane)).then(() => {
    latencies.sort((one, other) => one - other);
    const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? null;
    return { count: latencies.length, seconds: (last - began) / 1000, p50: at(0.5), p99: at(0.99), failures, failure, collected };
  });
}

parentPort.on("message", async (order) => parentPort.postMessage(await run(order)));
