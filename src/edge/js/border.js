// What the module asks of the platform, each in one call across the border.
import { add, remember } from "./shared.js";

/** Headers by their text: to copy them costs a third of what making them does. */
const heads = new Map();

/** The headers that this text says. */
function common(head) {
  const headers = heads.get(head) ?? add(new Headers(), head);
  remember(heads, head, headers);
  return headers;
}

/** An answer: `head` has the headers that others have too, `own` those of this one; names and values in turn, one a line. */
export function respond(status, head, own, body) {
  // The bytes are the module's own, and stay where they are no longer than this call.
  const response = new Response(body.length ? body.slice() : null, { status, headers: common(head) });
  add(response.headers, own);
  return response;
}

/** Has an object take a command. While a new version is rolled out, objects of the one before it take them as requests alone. */
async function take(object, kind, command) {
  try {
    return await object.take(kind, command);
  } catch (error) {
    if (!/does not support RPC|does not implement the method/.test(error.message)) throw error;
    const response = await object.fetch(`https://object/${kind}`, { method: "POST", body: command });
    return response.ok ? response.text() : undefined;
  }
}

/** Has the object `name` take a command. One that does not answer in so many `millis` has panicked, or its place is lost. */
export function ask(objects, name, kind, command, millis) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer in time")), millis);
    const done = (end) => (value) => {
      clearTimeout(timer);
      end(value);
    };
    take(objects.getByName(name), kind, command).then(done(resolve), done(reject));
  });
}

/** The rows of a statement; values and rows are JSON. */
export function rows(sql, statement, values) {
  return JSON.stringify(sql.exec(statement, ...JSON.parse(values)).raw().toArray());
}

/** The one BLOB that a statement gives, or nothing. */
export function bytes(sql, statement) {
  for (const [value] of sql.exec(statement).raw()) return new Uint8Array(value);
  return undefined;
}

/** A statement with one text as its value. */
export function put(sql, statement, value) {
  sql.exec(statement, value);
}

/** The text at `name` in KV, as old as so many seconds at most. */
export function find(kv, name, cacheTtl) {
  return kv.get(name, { type: "text", cacheTtl });
}

/** Puts a text into KV, for so many seconds or for good. */
export function publish(kv, name, value, expirationTtl) {
  return kv.put(name, value, expirationTtl === undefined ? {} : { expirationTtl });
}

/** What an object's storage does later holds back its answers; should it fail, the object ends, and this says why. */
const later = (what, promise) => promise.catch(({ message }) => console.log(JSON.stringify({ level: "error", event: "storage_failed", reason: `${what}: ${message}` })));

/** Sets the alarm of an object. */
export function ring(storage, at) {
  later("alarm", storage.setAlarm(at));
}

/** Takes away all that an object has, its alarm too. */
export function erase(storage) {
  later("alarm", storage.deleteAlarm());
  later("all", storage.deleteAll());
}

/** Is done after so many milliseconds, or when it is stopped: nothing stays of it then. */
export function pause(millis) {
  let stop;
  const promise = new Promise((done) => {
    const timer = setTimeout(done, millis);
    stop = () => {
      clearTimeout(timer);
      done();
    };
  });
  return { promise, stop };
}

/** Writes a line of the log. */
export function log(line) {
  console.log(line);
}

/** Whether the module has panicked, and how often it has begun: where the entry of worker-build looks. */
const begun = (globalThis.__worker_init_state = { criticalError: false, instanceId: 0 });

/** Says that the module must begin anew: the entry tells whoever waits for it. */
export function critical() {
  begun.criticalError = true;
  begun.broken?.();
}

export function state() {
  return begun;
}
