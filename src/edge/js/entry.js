// The entry of the worker. A request crosses into the module once, as text and bytes; documents that the module has prepared do not cross at all.
import { DurableObject } from "cloudflare:workers";
// What worker-build has made of the crate. Its classes begin anew after a panic, when something is constructed.
import Module, * as classes from "./module.js";
import { add, remember, utf8 } from "./shared.js";

const { serve, wants } = Module.prototype;
const state = globalThis.__worker_init_state;

/** What `wants` says, bit by bit, with the headers that are looked at then. */
const BODY = 1;
const ALWAYS = ["authorization", "x-agent-key", "content-type", "idempotency-key", "if-none-match", "origin", "mcp-protocol-version", "mcp-method", "mcp-name", "cf-connecting-ip"];
const MORE = { 4: ["cookie", "sec-fetch-site", "user-agent", "x-csrf", "accept"], 8: ["dpop"], 16: ["user-agent"], 32: ["accept", "last-event-id"] };
const names = Array.from({ length: 64 }, (_, bits) => [...new Set([...ALWAYS, ...Object.keys(MORE).flatMap((bit) => (bits & bit ? MORE[bit] : []))])]);

/** The longest body that is read: `LONGEST_BODY` of the module. */
const LONGEST = 64 * 1024;

/** Documents by their path: see `Visit.keep`. */
const documents = new Map();

/** A request on its way through the module. */
class Visit {
  constructor(env, context, path) {
    this.env = env;
    this.context = context;
    this.path = path;
  }

  /** What is done after the answer. */
  after(promise) {
    this.context.waitUntil(promise);
  }

  /** Keeps no answer any more. */
  forget() {
    documents.clear();
  }

  /** Keeps the answer for `millis`; whoever has it already, as `etag` says, gets the headers of `unchanged`. */
  keep(route, etag, millis, headers, unchanged, body) {
    const made = (lines) => add(new Headers(), lines);
    remember(documents, this.path, { route, etag, until: Date.now() + millis, headers: made(headers), unchanged: made(unchanged), body: body.slice() });
  }
}

let digits = "";
let used = 0;

/** 16 hexadecimal digits by which the log calls a request. */
function requestId() {
  if (used === digits.length) {
    digits = "";
    for (const byte of crypto.getRandomValues(new Uint8Array(1024))) digits += byte.toString(16).padStart(2, "0");
    used = 0;
  }
  return digits.slice(used, (used += 16));
}

/** The answer that is kept, if it will do. */
function prepared(path, headers) {
  const document = documents.get(path);
  if (document === undefined || Date.now() >= document.until) return null;
  const known = headers.get("if-none-match");
  const is304 = known === document.etag;
  if (known !== null && !is304) return null;
  const id = requestId();
  const status = is304 ? 304 : 200;
  const response = new Response(is304 ? null : document.body, { status, headers: is304 ? document.unchanged : document.headers });
  response.headers.set("x-request-id", id);
  console.log(`{"event":"request","level":"info","method":"GET","ms":0,"reason":null,"request_id":"${id}","route":"${document.route}","status":${status},"trace":null}`);
  return response;
}

/** At most `LONGEST` bytes; null for a longer body, which is refused by its length, or cancelled when that shows. */
async function read(request) {
  const announced = request.headers.get("content-length");
  const length = announced === null ? NaN : Number(announced);
  if (length > LONGEST) {
    await request.body?.cancel().catch(() => {});
    return null;
  }
  // The platform holds a body to its length. A client that goes away ends its body early; what it sent is judged like any other.
  if (length <= LONGEST) return new Uint8Array(await request.arrayBuffer().catch(() => new ArrayBuffer(0)));
  const chunks = [];
  let size = 0;
  const reader = request.body?.getReader();
  while (reader) {
    const { done, value } = await reader.read().catch(() => ({ done: true }));
    if (done) break;
    size += value.length;
    if (size > LONGEST) {
      await reader.cancel().catch(() => {});
      return null;
    }
    chunks.push(value);
  }
  const body = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

/** A panic ends what the module knew: what comes next begins anew, before anything crosses. */
function begin(context, env) {
  if (state.criticalError) new Module(context, env);
}

/** How to end what the module still owes, to requests and to alarms: a panic takes all of it along. */
const answers = new Set();
const alarms = new Set();
/** So many answers are remembered: one that a client has gone away from is never settled. An alarm always is. */
const MOST_ANSWERS = 10_000;
state.broken = () => {
  for (const owed of [answers, alarms]) {
    for (const end of owed) end();
    owed.clear();
  }
};

/** What the promise comes to, or null if the module breaks before. */
function owe(owed, promise) {
  return new Promise((done, fail) => {
    const broken = () => done(null);
    const end = (settle) => (value) => {
      owed.delete(broken);
      settle(value);
    };
    owed.add(broken);
    promise.then(end(done), end(fail));
  });
}

/** The same of the answer to a request. */
function oweAnswer(promise) {
  if (answers.size >= MOST_ANSWERS) answers.delete(answers.values().next().value);
  return owe(answers, promise);
}

/** Nothing that the module has left behind is to be used any more. */
function breaks() {
  state.criticalError = true;
  state.broken();
}

/** The words are those of the module's own table of errors. */
const PROBLEM = JSON.stringify({
  type: "about:blank",
  title: "Something went wrong on our side.",
  status: 500,
  detail: "Try again later with the same request.",
  error: "server_error",
  error_description: "Something went wrong on our side.",
});

/** The answer to a request that the module broke at, with what it broke by, if that is known. */
function broken(id, method, error) {
  const line = { level: "error", event: "request", request_id: id, route: "none", method, status: 500, reason: "the module broke", trace: null, ms: 0 };
  console.log(JSON.stringify(error === undefined ? line : { ...line, error: String(error?.message) }));
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store", "x-content-type-options": "nosniff", "access-control-allow-origin": "*", "x-request-id": id };
  return new Response(method === "HEAD" ? null : PROBLEM, { status: 500, headers });
}

/** Crosses the border. */
function cross(visit, id, method, bits, head, body, isTooLong) {
  const otherwise = (error) => broken(id, method, error);
  try {
    begin(visit.context, visit.env);
    const answer = serve(visit, visit.env, bits, utf8(head), body, isTooLong);
    return answer instanceof Promise ? oweAnswer(answer).then((answer) => answer ?? otherwise(), otherwise) : answer;
  } catch (error) {
    breaks();
    return otherwise(error);
  }
}

/** What `wants` has said, by method and path, unless they are long. */
const asked = new Map();
const LONGEST_ASKED = 100;

/** What the module looks at of a request, bit by bit; throws if it broke at that. */
function wanted(context, env, method, path) {
  const name = `${method} ${path}`;
  let bits = asked.get(name);
  if (bits === undefined) {
    try {
      begin(context, env);
      bits = wants(method, path);
    } catch (error) {
      breaks();
      throw error;
    }
  }
  if (name.length < LONGEST_ASKED) remember(asked, name, bits);
  return bits;
}

export default {
  fetch(request, env, context) {
    const { method, url, headers } = request;
    // An absolute URL: its path begins after the host, and the host after the second slash.
    const first = url.indexOf("/", url.indexOf("//") + 2);
    const target = first < 0 ? "/" : url.slice(first);
    const end = target.search(/[?#]/);
    const path = end < 0 ? target : target.slice(0, end);
    const answer = method === "GET" ? prepared(path, headers) : null;
    if (answer !== null) return answer;
    const visit = new Visit(env, context, path);
    const id = requestId();
    let bits;
    try {
      bits = wanted(context, env, method, path);
    } catch (error) {
      return broken(id, method, error);
    }
    let head = `${id}\n${method}\n${url}\n`;
    for (const name of names[bits]) {
      const value = headers.get(name);
      if (value !== null) head += `${name}\n${value}\n`;
    }
    if (!(bits & BODY)) return cross(visit, id, method, bits, head, undefined, false);
    return read(request).then((body) => cross(visit, id, method, bits, head, body ?? undefined, body === null));
  },
};

/** In milliseconds: the first pause before an alarm that has failed rings again, the longest one, and by how much alarms may be late. */
const FIRST = 5000;
const LONGEST_PAUSE = 3_600_000;
const LATE = 60_000;

/** Rings again, after a pause twice as long as the one before, unless that is over for long. The module is not asked: it has just broken. */
async function again(storage) {
  const now = Date.now();
  const before = await storage.get("pause");
  const runs = before !== undefined && now < before.until + Math.max(before.length, LATE);
  const length = runs ? Math.min(before.length * 2, LONGEST_PAUSE) : FIRST;
  const until = now + length;
  await storage.put("pause", { length, until });
  // Whoever has rung in the meantime is not made to wait.
  const set = await storage.getAlarm();
  if (set === null || set > until) await storage.setAlarm(until);
}

/** The durable objects: their commands come by RPC, which costs less than a request. */
const object = (Class, what) =>
  class extends DurableObject {
    constructor(context, env) {
      super(context, env);
      this.inner = new Class(context, env);
    }

    /** An outcome, or nothing if the command was not taken. */
    take(kind, command) {
      return this.inner.take(kind, utf8(command));
    }

    /** The same as a request: while a new version is rolled out, workers of the one before it still ask so. */
    async fetch(request) {
      const outcome = this.take(new URL(request.url).pathname.slice(1), await request.text());
      return outcome === undefined ? new Response(`the ${what} did not take the command`, { status: 500 }) : new Response(outcome);
    }

    /** What was due stays so whatever the module does: the platform drops an alarm that has failed six times. */
    async alarm() {
      const { reason, error } = await this.woken();
      if (reason === undefined) return;
      console.log(JSON.stringify({ level: "error", event: "wake_failed", reason: `${what}: ${reason}${error ? `: ${error.message}` : ""}` }));
      await again(this.ctx.storage);
    }

    /** Why the module has not done what was due, or nothing. If it breaks its own promise never ends. */
    async woken() {
      let waking;
      try {
        waking = this.inner.alarm();
      } catch (error) {
        breaks();
        return { reason: "the module broke", error };
      }
      return owe(alarms, waking).then(
        (end) => (end === null ? { reason: "the module broke" } : {}),
        (error) => ({ reason: "no alarm", error }),
      );
    }
  };

export const Account = object(classes.Account, "account");
export const Cell = object(classes.Cell, "record");
