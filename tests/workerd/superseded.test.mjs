// Clients that register again and again for one person leave no heap of registrations that wait.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { call } from "./support/agent.mjs";
import { ok } from "./support/answers.mjs";
import { page, poll } from "./support/claim.mjs";
import { Browser } from "./support/person.mjs";
import { address, deploy } from "./support/postern.mjs";
import { confirm } from "./support/vouched.mjs";

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_HOUR: "100000" } })));
after(() => postern.stop());

const ask = (login_hint, ip) => ok(postern.json("/agent/identity", { type: "service_auth", login_hint }, { "cf-connecting-ip": ip }));
/** Whether the claim still waits: the first poll says so. */
const waits = async (agent) => (await poll(postern, agent.claim_token)).body.error === "authorization_pending";
const count = async (agents) => (await Promise.all(agents.map(waits))).filter(Boolean).length;

test("ten registrations for one person from one network leave a few, and the newest among them (16, C23)", async () => {
  const [email, ip] = [`${randomUUID()}@example.com`, address()];
  const agents = [];
  for (let times = 0; times < 10; times += 1) agents.push(await ask(email, ip));
  const left = await Promise.all(agents.map(waits));
  const cap = left.filter(Boolean).length;
  assert.ok(cap >= 1 && cap <= 5, `${cap} wait`);
  assert.deepEqual(left, [...Array(10 - cap).fill(false), ...Array(cap).fill(true)], "the oldest make room");
  const browser = await new Browser(postern).signIn(email);
  await browser.open(page(agents[0].claim.verification_uri));
  assert.ok(browser.status >= 400, "its page is closed");
  await confirm(browser, agents[9].claim);
});

test("ten at once, too (16, C23)", async () => {
  const [email, ip] = [`${randomUUID()}@example.com`, address()];
  const left = await count(await Promise.all(Array.from({ length: 10 }, () => ask(email, ip))));
  assert.ok(left >= 1 && left <= 5, `${left} wait`);
});

test("those of other people, other networks and other kinds do not make room for them (C23)", async () => {
  const [email, ip] = [`${randomUUID()}@example.com`, address()];
  const others = [await ask(`${randomUUID()}@example.com`, ip), await ask(email, address()), await ok(postern.json("/agent/identity", { type: "anonymous" }, { "cf-connecting-ip": ip }))];
  for (let times = 0; times < 6; times += 1) await ask(email, ip);
  assert.equal(await count(others), 3);
});

test("a confirmed one is nobody's to supersede, picked up or not (C23)", async () => {
  const [email, ip] = [`${randomUUID()}@example.com`, address()];
  const browser = await new Browser(postern).signIn(email);
  const [one, two] = [await ask(email, ip), await ask(email, ip)];
  await confirm(browser, one.claim);
  const got = await poll(postern, one.claim_token);
  assert.equal(got.status, 200, got.text);
  await confirm(browser, two.claim);
  for (let times = 0; times < 6; times += 1) await ask(email, ip);
  assert.equal(await call(postern.issuer, got.body.access_token), 200);
  assert.equal((await poll(postern, two.claim_token)).status, 200);
});

test("an address in another case is the same person's (34, C23)", async () => {
  const [email, ip] = [`${randomUUID()}@example.com`, address()];
  const agents = [];
  for (let times = 0; times < 10; times += 1) agents.push(await ask(times % 2 ? email : ` ${email.toUpperCase()} `, ip));
  const left = await count(agents);
  assert.ok(left >= 1 && left <= 5, `${left} wait`);
});
