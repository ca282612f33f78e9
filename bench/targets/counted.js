// The built worker behind an entry that counts what it does to storage, and says so at a path of its own. It is never what is timed.
// All objects of a worker share an isolate in `workerd serve`, so that one tally is that of all.
import { env } from "cloudflare:workers";
import * as built from "./index.js";

const PATH = "/benchmark-counts";
const tally = { kv_reads: 0, kv_writes: 0, object_calls: 0, alarms_set: 0, alarms_rung: 0, rows_read: 0, rows_written: 0, stored_bytes: 0 };

/** Puts `around(original)` in the place of a method, for all objects of that kind. */
function replace(prototype, name, around) {
  const original = prototype[name];
  Object.defineProperty(prototype, name, { configurable: true, writable: true, value: around(original) });
}

const counting = (what) => (original) =>
  function (...given) {
    tally[what] += 1;
    return original.apply(this, given);
  };

const namespace = Object.getPrototypeOf(env.KV);
for (const name of ["get", "getWithMetadata", "list"]) replace(namespace, name, counting("kv_reads"));
for (const name of ["put", "delete"]) replace(namespace, name, counting("kv_writes"));

/** A statement's rows are known when the cursor has been read, which the worker does before it waits for anything. */
const statement = (sizes) => (original) =>
  function (...given) {
    const cursor = original.apply(this, given);
    queueMicrotask(() => {
      tally.rows_read += cursor.rowsRead;
      tally.rows_written += cursor.rowsWritten;
      const size = this.databaseSize;
      tally.stored_bytes += size - (sizes.get(this) ?? 0);
      sizes.set(this, size);
    });
    return cursor;
  };

let patched = false;
function patch(storage) {
  if (patched) return;
  patched = true;
  replace(Object.getPrototypeOf(storage.sql), "exec", statement(new WeakMap()));
  replace(Object.getPrototypeOf(storage), "setAlarm", counting("alarms_set"));
}

/** What a class can be asked for. */
function methods(prototype) {
  const names = prototype === null || prototype === Object.prototype ? [] : [...Object.getOwnPropertyNames(prototype), ...methods(Object.getPrototypeOf(prototype))];
  return [...new Set(names)].filter((name) => name !== "constructor" && !name.startsWith("_") && typeof prototype[name] === "function");
}

/** A class of objects that counts whoever calls them, in whatever way, and their alarms. */
function counted(Class) {
  class Counted extends Class {
    constructor(state, bindings) {
      patch(state.storage);
      super(state, bindings);
    }
  }
  for (const name of methods(Class.prototype)) {
    const what = name === "alarm" ? "alarms_rung" : "object_calls";
    Counted.prototype[name] = function (...given) {
      tally[what] += 1;
      return Class.prototype[name].apply(this, given);
    };
  }
  return Counted;
}

export const Cell = counted(built.Cell);
export const Account = counted(built.Account);

const { default: service } = built;
const asked = (request) => new URL(request.url).pathname === PATH;
const answer = () => Response.json({ counts: tally });

/** The entry is a class or an object, as the build likes it. */
export default typeof service === "function"
  ? class extends service {
      fetch(request) {
        return asked(request) ? answer() : super.fetch(request);
      }
    }
  : { ...service, fetch: (request, env, context) => (asked(request) ? answer() : service.fetch(request, env, context)) };
