// What the platform alone costs: plain JavaScript that makes the same calls to storage and crypto as the service, and decides
// nothing. It is no service: it lets everybody in.
import { DurableObject } from "cloudflare:workers";

const DAY = 86_400_000;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const INIT = { headers: { "Content-Type": "application/json", "Cache-Control": "no-store" } };
const RECORD = JSON.stringify({ state: "x".repeat(300) });
const ANSWER = JSON.stringify({ access_token: "x".repeat(700), token_type: "Bearer", expires_in: 900, scope: "api.read" });
const input = new Uint8Array(600);

let keys;
async function material() {
  const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
  return { ...pair, signature: await crypto.subtle.sign(ALGORITHM, pair.privateKey, input) };
}

async function sign() {
  keys ??= await material();
  return crypto.subtle.sign(ALGORITHM, keys.privateKey, input);
}

async function verify() {
  keys ??= await material();
  return crypto.subtle.verify(ALGORITHM, keys.publicKey, keys.signature, input);
}

const ask = (env, name, what) => env.CELL.getByName(name).take(what, RECORD);

const some = (count) => String(Math.floor(Math.random() * count));

/** One after the other, so that as many requests reach all of them. */
let turns = 0;
const next = (count) => (turns += 1) % count;

const ROUTES = {
  // A token: one record read, one signature.
  "/token": async (_body, env) => {
    await ask(env, `agent/${some(256)}`, "read");
    await sign();
  },
  // A token or assertion that must be verified first.
  "/verified-token": async (_body, env) => {
    await verify();
    await ask(env, `agent/${some(256)}`, "read");
    await sign();
  },
  // A token seen for the first time: its signature, and its agent's record.
  "/check": async (_body, env) => {
    await verify();
    await ask(env, `agent/${some(256)}`, "read");
  },
  // A token seen before.
  "/again": () => {},
  // A limit counted, a new record with its alarm, one signature.
  "/register": async (_body, env) => {
    await ask(env, `limit/${some(64)}`, "write");
    await ask(env, crypto.randomUUID(), "open");
    await sign();
  },
  // The same with a key, which is not signed.
  "/register-key": async (_body, env) => {
    await ask(env, `limit/${some(64)}`, "write");
    await ask(env, crypto.randomUUID(), "open");
  },
  // A provider's assertion: verified, a limit counted, used up once; its person's tie, account and registration asked; one signature.
  "/vouched": async (_body, env) => {
    const one = next(256);
    await verify();
    await ask(env, `person/${one}`, "read");
    await ask(env, `limit/${some(64)}`, "write");
    await ask(env, `link/${one}`, "read");
    await ask(env, `once/${some(64)}`, "write");
    await ask(env, `agent/${one}`, "read");
    await sign();
  },
  // One record read, and the time of the poll written into it.
  "/poll": (_body, env) => ask(env, `waiting/${next(1024)}`, "write"),
};

export default {
  async fetch(request, env) {
    const body = request.method === "POST" ? await request.text() : request.headers.get("Authorization");
    await ROUTES[new URL(request.url).pathname]?.(body, env);
    return new Response(ANSWER, INIT);
  },
};

export class Cell extends DurableObject {
  /** What is known is kept: an object in memory need not read it. */
  take(what, body) {
    const { sql } = this.ctx.storage;
    if (this.known === undefined) {
      sql.exec("CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY CHECK (id = 0), body TEXT NOT NULL)");
      this.known = sql.exec("SELECT body FROM record").toArray()[0]?.body ?? null;
    }
    // What is only read is written once, so that there is something to read.
    if (what !== "read" || this.known === null) {
      sql.exec("INSERT INTO record (id, body) VALUES (0, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", body);
      this.known = body;
    }
    if (what === "open") this.ctx.storage.setAlarm(Date.now() + DAY);
    return this.known;
  }

  alarm() {}
}
