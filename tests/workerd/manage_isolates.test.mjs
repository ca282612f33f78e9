// What ends in one isolate has ended in the other within LIVENESS_TTL and a second; and what a store that is away means for whoever manages.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, sleep, until } from "./support/agent.mjs";
import { AgentAuth, UNHURRIED, child, root } from "./support/agentauth.mjs";
import { deploy } from "./support/postern.mjs";

/** LIVENESS_TTL is a second; one more for whatever is slow here. */
const LIMIT = 2000;

let postern, second, mine, anybody;
before(async () => {
  postern = await deploy({ isolates: 2, vars: UNHURRIED });
  second = await postern.second();
  anybody = new AgentAuth(postern);
  mine = await root(postern, { name: "Here and there" });
});
after(() => postern?.stop());

/** Known in the other isolate as good, so that it has something to forget. */
async function known(...secrets) {
  for (const secret of secrets) assert.equal(await call(second, secret), 200);
}
const dies = async (...secrets) => {
  for (const secret of secrets) await until(async () => (await call(second, secret)) === 401, LIMIT);
};

describe("felt in the other isolate", () => {
  test("a credential that is revoked, and its tokens", async () => {
    const one = await child(mine);
    const { access_token } = await anybody.authenticate(one.api_key);
    await known(one.api_key, access_token);
    await mine.key.revokeCredential(one.credential.id);
    await dies(one.api_key, access_token);
  });

  test("a credential that is rotated, and its tokens", async () => {
    const one = await child(mine);
    const { access_token } = await anybody.authenticate(one.api_key);
    await known(one.api_key, access_token);
    const { raw_key } = await mine.key.rotateCredential(one.credential.id);
    await dies(one.api_key, access_token);
    await known(raw_key);
  });

  test("an agent that is suspended, with all below it, and that is brought back", async () => {
    const one = await child(mine);
    const { data } = await mine.key.createAgent({ name: "Below the one", parent_agent_id: one.id });
    const { raw_key } = await mine.key.createCredential({ agent_id: data.id });
    const { access_token } = await anybody.authenticate(raw_key);
    await known(one.api_key, raw_key, access_token);
    await mine.key.deleteAgent(one.id);
    await dies(one.api_key, raw_key, access_token);
    await mine.key.updateAgent(one.id, { status: "active" });
    await until(async () => (await call(second, raw_key)) === 200, LIMIT);
    await known(one.api_key);
  });

  test("a link of a delegation that is revoked, with every token below it", async () => {
    const [one, two, three] = [await child(mine), await child(mine), await child(mine)];
    const first = await mine.key.createDelegation({ delegate_agent_id: one.id, scopes: ["api.read"], max_chain_depth: 3 });
    const middle = await one.key.createDelegation({ delegate_agent_id: two.id, scopes: ["api.read"], source_delegation_id: first.id });
    const last = await two.key.createDelegation({ delegate_agent_id: three.id, scopes: ["api.read"], source_delegation_id: middle.id });
    const tokens = [];
    for (const [delegation, who] of [[first, one], [middle, two], [last, three]]) tokens.push((await anybody.grant({ grant_type: "agent_delegation", delegation_id: delegation.id, client_secret: who.api_key })).access_token);
    await known(...tokens);
    await mine.key.revokeDelegation(middle.id);
    await dies(tokens[1], tokens[2]);
    await known(tokens[0], one.api_key, two.api_key, three.api_key);
    await mine.key.revokeDelegation(first.id);
    await dies(tokens[0]);
  });

  test("a policy that denies, for an agent below", async () => {
    const one = await child(mine);
    const there = new AgentAuth(second, { apiKey: one.api_key });
    assert.equal((await there.ask("GET", `/agents/${one.id}`)).status, 200);
    const policy = await mine.key.createPolicy({ name: "Hidden", effect: "deny", subjects: { agent_ids: [one.id] }, resources: { paths: ["/api/v1/agents/*"] }, actions: ["read"] });
    await until(async () => (await there.ask("GET", `/agents/${one.id}`)).status === 403, LIMIT);
    await mine.key.ask("DELETE", `/policies/${policy.id}`);
    await until(async () => (await there.ask("GET", `/agents/${one.id}`)).status === 200, LIMIT);
  });
});

describe("over a restart", () => {
  test("all that was made is there, and all that has ended has", async () => {
    const lasting = await deploy({ vars: UNHURRIED });
    try {
      const owner = await root(lasting, { name: "Lasting" });
      const [one, two] = [await child(owner), await child(owner)];
      const delegation = await owner.key.createDelegation({ delegate_agent_id: one.id, scopes: ["api.read"] });
      await owner.key.revokeCredential(two.credential.id);
      await lasting.restart();
      assert.equal(await call(lasting.issuer, one.api_key), 200);
      assert.equal(await call(lasting.issuer, two.api_key), 401);
      assert.equal((await owner.key.listAgents()).meta.total, 3);
      assert.equal((await owner.key.chain(delegation.id)).chain.length, 1);
      assert.ok((await owner.key.audit({ event_type: "credential.revoked" })).data.length >= 1);
    } finally {
      await lasting.stop();
    }
  });
});

test("twenty children made at once, and then a suspension, leave no one behind", async () => {
  const owner = await root(postern, { name: "Many" });
  const above = await child(owner);
  const keys = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const base = index % 2 ? second : postern.issuer;
      const by = new AgentAuth(base, { apiKey: owner.api_key });
      const { data } = await by.createAgent({ name: `Child ${index}`, parent_agent_id: above.id });
      return (await by.createCredential({ agent_id: data.id })).raw_key;
    }),
  );
  await owner.key.deleteAgent(above.id);
  await sleep(LIMIT);
  for (const base of [postern.issuer, second]) assert.deepEqual(await Promise.all(keys.map((key) => call(base, key))), keys.map(() => 401));
});
