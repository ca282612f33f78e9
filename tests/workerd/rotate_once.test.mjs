// What must happen once with an agent's keys, under a hundred parallel tries through two isolates.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { call, sleep } from "./support/agent.mjs";
import { AgentAuth, UNHURRIED, child, root } from "./support/agentauth.mjs";
import { ROUNDS, deploy } from "./support/postern.mjs";

const HUNDRED = 100;
/** What an answer may be that came too late: the key has ended, or it is not for whoever asks any more. */
const LATE = new Set([400, 401, 403, 404, 409]);

let postern, second, mine;
before(async () => {
  postern = await deploy({ isolates: 2, vars: UNHURRIED });
  second = await postern.second();
  mine = await root(postern, { name: "Rotating" });
});
after(() => postern?.stop());

const crowd = (work) => Promise.all(Array.from({ length: HUNDRED }, (_, index) => work(index % 2 ? second : postern.issuer, index)));
const through = (base, apiKey) => new AgentAuth(base, { apiKey });

/** Exactly one of the answers has a key, and it is the only one that works. */
async function once(answers, agent, old) {
  const won = answers.filter(({ status }) => status === 200);
  assert.equal(won.length, 1, JSON.stringify(answers.map(({ status, body }) => [status, body?.error]).slice(0, 10)));
  for (const { status, body, text } of answers) if (status !== 200) assert.ok(LATE.has(status) && body?.error && !("raw_key" in body), text);
  const [{ body }] = won;
  assert.equal(body.new_credential.is_valid, true);
  assert.equal(await call(postern.issuer, body.raw_key), 200);
  assert.equal(await call(postern.issuer, old), 401);
  await sleep(1100);
  for (const base of [postern.issuer, second]) {
    assert.equal(await call(base, body.raw_key), 200);
    assert.equal(await call(base, old), 401);
  }
  const { data } = await mine.key.listCredentials({ agent_id: agent, limit: 100 });
  assert.deepEqual(data.filter(({ is_valid }) => is_valid).map(({ id }) => id), [body.new_credential.id]);
  return body;
}

test("a hundred parallel rotations of one key, by who is above, make one new key", async () => {
  let { id, credential, api_key } = await child(mine);
  for (let round = 0; round < ROUNDS; round += 1) {
    const answers = await crowd((base) => through(base, mine.api_key).ask("POST", `/credentials/${credential.id}/rotate`));
    ({ new_credential: credential, raw_key: api_key } = await once(answers, id, api_key));
  }
});

test("and so do a hundred by the key itself, which dies with it", async () => {
  let { id, credential, api_key } = await child(mine);
  for (let round = 0; round < ROUNDS; round += 1) {
    const key = api_key;
    const answers = await crowd((base) => through(base, key).ask("POST", `/credentials/${credential.id}/rotate`));
    ({ new_credential: credential, raw_key: api_key } = await once(answers, id, key));
  }
});

/** A hundred agents are all that a root has that nobody has claimed. */
const FEWER = 50;
const fresh = async (round) => round % FEWER === 0 && (mine = await root(postern, { name: "Rotating" }));

test("a hundred that are one request by their Idempotency-Key all have the same new key", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await fresh(round);
    const { credential, api_key } = await child(mine);
    const headers = { "idempotency-key": `rotate-once-${round}-${Math.random()}` };
    const answers = await crowd((base) => through(base, mine.api_key).ask("POST", `/credentials/${credential.id}/rotate`, { headers }));
    const keys = new Set(answers.filter(({ status }) => status === 200).map(({ body }) => body.raw_key));
    assert.equal(keys.size, 1);
    for (const { status, text } of answers) assert.ok(status === 200 || LATE.has(status) || status === 503, text);
    const late = await through(second, mine.api_key).ask("POST", `/credentials/${credential.id}/rotate`, { headers });
    assert.deepEqual([late.status, late.body.raw_key], [200, [...keys][0]]);
    assert.equal(await call(postern.issuer, api_key), 401);
  }
});

test("a rotation and a revocation at once: at most one key is left, and none if the revocation came last", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    await fresh(round);
    const { id, credential, api_key } = await child(mine);
    const answers = await crowd((base, index) => through(base, mine.api_key).ask(...(index % 4 === 3 ? ["DELETE", `/credentials/${credential.id}`] : ["POST", `/credentials/${credential.id}/rotate`])));
    const won = answers.filter(({ status, body }) => status === 200 && body.raw_key);
    assert.ok(won.length <= 1);
    assert.ok(answers.every(({ status }) => status === 200 || LATE.has(status)));
    await sleep(1100);
    assert.equal(await call(postern.issuer, api_key), 401);
    const { data } = await mine.key.listCredentials({ agent_id: id });
    assert.equal(data.filter(({ is_valid }) => is_valid).length, won.length);
    for (const { body } of won) assert.equal(await call(second, body.raw_key), 200);
  }
});
