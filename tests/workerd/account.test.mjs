// The object of an account in the real runtime: its tables, its transactions, its alarm, and what is left of it.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { sleep, until } from "./support/agent.mjs";
import { deploy } from "./support/postern.mjs";

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

const id = (prefix, number) => `${prefix}_${String(number).padStart(22, "0")}`;

/** What the account answers to a command: its status, and the JSON of the outcome. */
async function ask(name, command) {
  const accounts = await postern.mf.getDurableObjectNamespace("ACCOUNT");
  const body = typeof command === "string" && command.startsWith("{") ? command : JSON.stringify(command);
  const answer = await accounts.get(accounts.idFromName(name)).fetch("https://account/", { method: "POST", body });
  const text = await answer.text();
  return { status: answer.status, outcome: answer.status === 200 ? JSON.parse(text) : text };
}
const outcome = async (name, command) => {
  const answer = await ask(name, command);
  assert.equal(answer.status, 200, answer.outcome);
  return answer.outcome;
};
const open = (name, email = "ada@example.com") => outcome(name, { Open: { email, phone: null, provider: null } });
const agent = (number, claimed, more = {}) => ({ registration: id("reg", number), kind: "anonymous", name: "Ada's agent", provider: null, created: 1, claimed, used: null, ended: null, ...more });
const event = (name, at = 5) => ({ at, name, registration: id("reg", 1), detail: "" });
const agents = async (name, after = null, live = false) => (await outcome(name, { Agents: { after, limit: 2, live } })).Agents;

/** The rows of a table, by account object; objects without the table are not in it. */
async function rows(table) {
  const folder = join(postern.folder, "do", "postern-Account");
  const found = [];
  for (const file of readdirSync(folder).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file))) {
    const database = new DatabaseSync(join(folder, file), { readOnly: true });
    try {
      if (database.prepare("SELECT 1 FROM sqlite_master WHERE name = ?").all(table).length) found.push(database.prepare(`SELECT * FROM ${table}`).all());
    } finally {
      database.close();
    }
  }
  return found;
}

test("nobody is there until somebody opens the account, and nothing is stored", async () => {
  const name = id("acc", 1);
  for (const command of ["Look", "Sessions", "Erase", { Feed: { sequence: 1, agent: agent(1, 1), events: [event("agent.claimed")] } }]) assert.equal(await outcome(name, command), "Nobody");
  assert.deepEqual(await rows("migration"), []);
  const { Person } = await open(name);
  assert.deepEqual({ ...Person, created: 0 }, { email: "ada@example.com", phone: null, created: 0, provider: null, has_signed_in: true, suspended: false, passkeys: 0, agents: 0, name: null, picture: null });
  assert.deepEqual((await outcome(name, "Look")).Person, Person);
});

test("all that an account keeps comes back as it went, page by page, also after a restart", async () => {
  const name = id("acc", 2);
  await open(name);
  const key = { credential: "AbC-_", key: { kty: "EC", alg: "ES256" }, sign_count: 4294967295, name: "Schlüssel", created: 7, used: null };
  assert.equal(await outcome(name, { AddPasskey: key }), "Done");
  assert.equal(await outcome(name, { AddPasskey: key }), "Refused");
  assert.deepEqual(await outcome(name, { Passkey: { credential: "AbC-_" } }), { Passkey: key });
  assert.equal(await outcome(name, { UsedPasskey: { credential: "AbC-_", sign_count: 4294967295 } }), "Refused");
  const session = { id: id("ses", 1), signed_in: 5, method: "mail", browser: "Firefox", used: 5, expires: Date.now() + 1e6 };
  assert.equal(await outcome(name, { SignedIn: session }), "Done");
  assert.deepEqual(await outcome(name, "Sessions"), { Sessions: [session] });
  for (const [number, ended] of [[1, null], [2, 9], [3, null]]) {
    const feed = { sequence: 9007199254740991, agent: agent(number, 1_800_000_000_000 + number, { ended }), events: [event(`agent.${number}`)] };
    for (let repeat = 0; repeat < 2; repeat += 1) assert.equal(await outcome(name, { Feed: feed }), "Done");
  }
  await postern.restart();
  const names = ([page, more]) => [page.map(({ registration }) => registration), more];
  assert.deepEqual(names(await agents(name)), [[id("reg", 3), id("reg", 2)], true]);
  assert.deepEqual(names(await agents(name, id("reg", 2))), [[id("reg", 1)], false]);
  assert.deepEqual(names(await agents(name, null, true)), [[id("reg", 3), id("reg", 1)], false]);
  const { Events } = await outcome(name, { Events: { before: 6, limit: 4 } });
  assert.deepEqual([Events[0].map(([number, { name }]) => [number, name]), Events[1]], [[[5, "agent.2"], [4, "agent.1"], [3, "session.started"], [2, "passkey.cloned"]], true]);
  const { Person } = await outcome(name, "Look");
  assert.deepEqual([Person.agents, Person.passkeys], [2, 1]);
});

test("a command that fails half-way leaves nothing behind, and the account goes on", async () => {
  const name = id("acc", 3);
  await open(name);
  await outcome(name, { Feed: { sequence: 1, agent: agent(1, 5), events: [event("agent.claimed")] } });
  // The agent and the first event are written by then; a time that never comes is no time of an event.
  const never = JSON.stringify({ Feed: { sequence: 2, agent: agent(1, 6, { ended: 7 }), events: [event("agent.ended"), event("agent.lost", "never")] } }).replace('"never"', "18446744073709551615");
  const answer = await ask(name, never);
  assert.deepEqual(answer, { status: 500, outcome: "the account did not take the command" });
  assert.deepEqual(await agents(name), [[agent(1, 5)], false]);
  assert.equal((await outcome(name, { Events: { before: null, limit: 9 } })).Events[0].length, 1);
  assert.equal((await outcome(name, "Look")).Person.agents, 1);
  assert.ok(postern.lines().some(({ event, reason }) => event === "account_failed" && /event\.at/.test(reason)));
  // What cannot be read is not tried at all.
  assert.equal((await ask(id("acc", 4), '{"Open":[]}')).status, 500);
  await outcome(name, { Feed: { sequence: 2, agent: agent(1, 6, { ended: 7 }), events: [event("agent.ended")] } });
  assert.equal((await outcome(name, "Look")).Person.agents, 0);
});

test("a session that has expired is forgotten when the alarm rings", async () => {
  const name = id("acc", 5);
  await open(name);
  const signed = Date.now();
  for (const [number, life] of [[1, 1500], [2, 3000]]) await outcome(name, { SignedIn: { id: id("ses", 50 + number), signed_in: signed, method: "mail", browser: "Firefox", used: signed, expires: signed + life } });
  const left = async () => (await rows("session")).flat().filter(({ id }) => /5[12]$/.test(id)).length;
  assert.equal(await left(), 2);
  await until(async () => (await left()) === 0);
  assert.ok(Date.now() >= signed + 3000, "the second one is not forgotten before its time");
  await sleep(100);
  assert.deepEqual(await outcome(name, "Sessions"), { Sessions: [] });
});

test("whoever is erased leaves no table, and may come again", async () => {
  const name = id("acc", 6);
  await open(name, "grace@example.com");
  await outcome(name, { SignedIn: { id: id("ses", 60), signed_in: 5, method: "mail", browser: "Firefox", used: 5, expires: Date.now() + 1e6 } });
  const before = (await rows("migration")).length;
  assert.equal(await outcome(name, "Erase"), "Done");
  assert.equal((await rows("migration")).length, before - 1);
  assert.equal(await outcome(name, "Look"), "Nobody");
  const [one, other] = await Promise.all([open(name, "hopper@example.com"), open(name, "hopper@example.com")]);
  assert.deepEqual(one, other, "two at the same time make one person");
  assert.equal(one.Person.email, "hopper@example.com");
});
