// Webhooks, told by the alarm of their account to a receiver of the tests, which checks what it gets as Standard Webhooks 1.0 say.
import assert from "node:assert/strict";
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { until } from "./support/agent.mjs";
import { UNHURRIED, child, claimedRoot, refused } from "./support/agentauth.mjs";
import { deploy } from "./support/postern.mjs";

/** The first attempt is made at once, the second five to six seconds later. */
const PROMPT = 4000;
const RETRIED = 12_000;

let postern, mine, receiver, url;
let people = 0;
const somebody = (name) => claimedRoot(postern, `person-${(people += 1)}@example.com`, { name });
const taken = [];
let respond = () => 204;
before(async () => {
  receiver = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    taken.push({ method: request.method, path: request.url, headers: request.headers, body, at: Date.now() });
    const status = respond(taken.at(-1));
    if (status) response.writeHead(status, status >= 300 && status < 400 ? { location: `${url}/elsewhere` } : {}).end();
  });
  await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${receiver.address().port}`;
  postern = await deploy({ vars: UNHURRIED });
});
after(async () => {
  await postern?.stop();
  receiver?.closeAllConnections();
  receiver?.close();
});
beforeEach(async () => {
  respond = () => 204;
  mine = await somebody("Hooked");
});

/** Whether one of the signatures is by this secret (Standard Webhooks, "Verifying signatures"). */
function signed({ headers, body }, secret) {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  assert.ok(key.length >= 24 && key.length <= 64);
  const expected = createHmac("sha256", key).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest();
  return headers["webhook-signature"].split(" ").some((one) => {
    const [version, value] = one.split(",");
    const found = Buffer.from(value ?? "", "base64");
    return version === "v1" && found.length === expected.length && timingSafeEqual(found, expected);
  });
}

const at = (path) => taken.filter((one) => one.path === path);
/** Waits for so many on a path. */
async function arrived(path, count, limit = PROMPT) {
  await until(() => at(path).length >= count, limit);
  return at(path);
}

test("an event is told at once, as JSON, signed with the secret that was shown", async () => {
  const webhook = await mine.key.createWebhook({ url: `${url}/one`, events: ["agent.suspended", "credential.*"] });
  const one = await child(mine);
  await mine.key.deleteAgent(one.id);
  const [first, last] = await arrived("/one", 2);
  for (const message of [first, last]) {
    assert.equal(message.method, "POST");
    assert.match(message.headers["content-type"], /^application\/json/);
    assert.ok(Math.abs(Number(message.headers["webhook-timestamp"]) * 1000 - message.at) < 5000);
    assert.ok(signed(message, webhook.secret));
    assert.ok(!signed({ ...message, body: `${message.body} ` }, webhook.secret));
    assert.ok(!signed({ ...message, headers: { ...message.headers, "webhook-timestamp": String(Number(message.headers["webhook-timestamp"]) + 1) } }, webhook.secret));
    const { type, timestamp, data } = JSON.parse(message.body);
    assert.ok(Math.abs(Date.parse(timestamp) - message.at) < 5000);
    assert.equal(data.agent_id, one.id);
    assert.ok(["credential.created", "agent.suspended"].includes(type), type);
    assert.ok(!message.body.includes(one.api_key) && !message.body.includes(webhook.secret));
  }
  assert.notEqual(first.headers["webhook-id"], last.headers["webhook-id"]);
  await until(async () => (await mine.key.webhookLogs(webhook.id)).length === 2, PROMPT);
});

test("what was not taken is told again after seconds, under the same id", async () => {
  const webhook = await mine.key.createWebhook({ url: `${url}/again`, events: ["agent.created"] });
  respond = () => (at("/again").length === 1 ? 500 : 204);
  await mine.key.createAgent({ name: "Told twice" });
  const [first, second] = await arrived("/again", 2, RETRIED);
  assert.equal(second.headers["webhook-id"], first.headers["webhook-id"]);
  assert.equal(second.body, first.body);
  assert.ok(second.at - first.at >= 4500, `${second.at - first.at} ms`);
  assert.ok(signed(second, webhook.secret));
  assert.ok(Number(second.headers["webhook-timestamp"]) > Number(first.headers["webhook-timestamp"]), "each attempt has its own time");
  await until(async () => {
    const [log] = await mine.key.webhookLogs(webhook.id);
    return log.attempt === 2 && log.success === true && log.status_code === 204;
  }, PROMPT);
  await mine.key.deleteWebhook(webhook.id);
});

test("after a rotation both secrets sign, so that nothing is lost on the way", async () => {
  const webhook = await mine.key.createWebhook({ url: `${url}/rotated`, events: ["agent.*"] });
  const { secret } = await mine.key.rotateWebhook(webhook.id);
  assert.ok(/^whsec_/.test(secret) && secret !== webhook.secret);
  await mine.key.createAgent({ name: "After the rotation" });
  const [message] = await arrived("/rotated", 1);
  assert.ok(signed(message, secret) && signed(message, webhook.secret));
});

test("nobody is told what others do, nor what they did not ask for", async () => {
  const other = await somebody("Somebody else");
  await other.key.createWebhook({ url: `${url}/others`, events: ["*"] });
  await mine.key.createWebhook({ url: `${url}/narrow`, events: ["agent.suspended"] });
  await mine.key.createWebhook({ url: `${url}/mine`, events: ["agent.created"] });
  await mine.key.createAgent({ name: "Mine alone" });
  await arrived("/mine", 1);
  await other.key.createAgent({ name: "Theirs" });
  const told = await arrived("/others", 1);
  assert.ok(told.every(({ body }) => !body.includes(mine.id) && !body.includes("Mine alone")));
  assert.deepEqual(at("/narrow"), []);
});

test("a redirect is not followed: it is no success", async () => {
  const webhook = await mine.key.createWebhook({ url: `${url}/moved`, events: ["agent.created"] });
  respond = ({ path }) => (path === "/moved" ? 307 : 204);
  await mine.key.createAgent({ name: "Moved" });
  await arrived("/moved", 1);
  await until(async () => (await mine.key.webhookLogs(webhook.id)).some(({ status_code, success }) => status_code === 307 && !success), PROMPT);
  assert.deepEqual(at("/elsewhere"), []);
  await mine.key.deleteWebhook(webhook.id);
});

test("410 ends the webhook", async () => {
  const webhook = await mine.key.createWebhook({ url: `${url}/gone`, events: ["agent.created"] });
  respond = () => 410;
  await mine.key.createAgent({ name: "Gone" });
  await arrived("/gone", 1);
  await until(async () => (await mine.key.listWebhooks()).data.find(({ id }) => id === webhook.id).enabled === false, PROMPT);
  respond = () => 204;
  await mine.key.createAgent({ name: "Not told" });
  await mine.key.createWebhook({ url: `${url}/after`, events: ["agent.created"] });
  await mine.key.createAgent({ name: "Told" });
  await arrived("/after", 1);
  assert.equal(at("/gone").length, 1);
});

test("addresses inside of networks are refused when they are named", async () => {
  for (const wrong of ["ftp://example.com/", "https://10.0.0.1/", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/", "https://0x0a000001/", "https://metadata.google.internal/", "https://user:pass@example.com/", "nonsense"]) {
    const answer = await mine.key.ask("POST", "/webhooks", { body: { url: wrong, events: ["agent.created"] } });
    assert.ok([400, 422].includes(answer.status), `${wrong}: ${answer.status}`);
    await refused(answer, answer.status, answer.body.error);
  }
  assert.equal((await mine.key.ask("POST", "/webhooks", { body: { url: `${url}/x`, events: ["no.such.event"] } })).status, 422);
});
