// The behaviours that AgentAuth's own tests fix, by its paths. Where its behaviour is a hole, what is here instead.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, sleep } from "./support/agent.mjs";
import { AgentAuth, UNHURRIED, child, claimedRoot, refused, refusedGrant, root } from "./support/agentauth.mjs";
import { RESOURCE_SERVER_KEY, deploy } from "./support/postern.mjs";

const FELT = 1100;
const SERVER = { authorization: `Basic ${Buffer.from(`api:${RESOURCE_SERVER_KEY}`).toString("base64")}` };

let postern, anybody, mine, stranger;
before(async () => {
  postern = await deploy({ vars: UNHURRIED });
  anybody = new AgentAuth(postern);
  [mine, stranger] = [await claimedRoot(postern, "me@example.com", { name: "Mine" }), await claimedRoot(postern, "stranger@example.com", { name: "Stranger" })];
});
after(() => postern?.stop());

const works = (token) => call(postern.issuer, token).then((status) => status === 200);
const looked = (token) => anybody.must(200, "POST", "/auth/token/introspect", { form: { token }, headers: SERVER });

describe("names", () => {
  test("are unique among the children of one agent: 409 with a problem", async () => {
    await mine.key.createAgent({ name: "Twin" });
    await refused(mine.key.ask("POST", "/agents", { body: { name: "Twin", agent_type: "tool" } }), 409, "agent_name_conflict");
    const { data } = await mine.key.createAgent({ name: "Other" });
    await refused(mine.key.ask("PATCH", `/agents/${data.id}`, { body: { name: "Twin" } }), 409, "agent_name_conflict");
    await mine.key.createAgent({ name: "Twin", parent_agent_id: data.id });
  });

  test("of strangers are no business of anybody else's: two roots may be called the same", async () => {
    const [one, two] = [await anybody.quickstart({ name: "Claude" }), await anybody.quickstart({ name: "Claude" })];
    assert.notEqual(one.agent.id, two.agent.id);
  });

  test("are taken once, even if many ask at the same time", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => mine.key.ask("POST", "/agents", { body: { name: "Wanted", agent_type: "tool" } })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(19).fill(409)]);
  });
});

describe("scopes", () => {
  test("of a token for everything are all that the key is good for, named one by one", async () => {
    const scopes = (await anybody.authenticate(mine.api_key)).scope.split(" ");
    assert.ok(scopes.includes("credentials.write") && !scopes.some((scope) => scope.includes("*")));
  });

  test("are narrowed as asked, and a superset is refused", async () => {
    const { raw_key } = await mine.key.createCredential({ agent_id: mine.id, scopes: ["api.read", "agents.*"] });
    const token = await anybody.authenticate(raw_key, "api.read");
    assert.equal(token.scope, "api.read");
    await refused(anybody.as({ token: token.access_token }).ask("GET", "/agents"), 403, "insufficient_scope");
    await refusedGrant(anybody.ask("POST", "/auth/token", { body: { grant_type: "client_credentials", client_secret: raw_key, scope: "api.read policies.read" } }), 400, "invalid_scope");
    assert.deepEqual((await anybody.authenticate(raw_key)).scope.split(" ").sort(), ["agents.read", "agents.write", "api.read"], "a wildcard is not in a token");
  });

  test("of a new key are at most those of the one that makes it", async () => {
    const { raw_key } = await mine.key.createCredential({ agent_id: mine.id, scopes: ["credentials.write", "api.read"] });
    const narrow = anybody.as({ apiKey: raw_key });
    const { status, body } = await narrow.ask("POST", "/credentials", { body: { agent_id: mine.id, scopes: ["agents.write"] } });
    assert.ok([400, 403].includes(status), `${status} ${body?.error}`);
    const { credential } = await narrow.createCredential({ agent_id: mine.id });
    assert.deepEqual([...credential.scopes].sort(), ["api.read", "credentials.write"]);
  });
});

describe("refresh", () => {
  const refresh = (refresh_token) => anybody.ask("POST", "/auth/token", { body: { grant_type: "refresh_token", refresh_token } });
  const start = () => anybody.authenticate(mine.api_key);

  test("gives another pair, and the access token from before counts to its end", async () => {
    const first = await start();
    const { body: second } = await refresh(first.refresh_token);
    assert.ok(second.refresh_token !== first.refresh_token && second.access_token !== first.access_token);
    for (const { access_token } of [first, second]) assert.ok(await works(access_token));
    assert.deepEqual([second.scope, second.expires_in], [first.scope, first.expires_in]);
  });

  test("keeps the lifetime of its key, and no more rights than that has", async () => {
    const { raw_key } = await mine.key.createCredential({ agent_id: mine.id, scopes: ["api.read"], token_lifetime_seconds: 300 });
    const first = await anybody.authenticate(raw_key);
    const { body: second } = await refresh(first.refresh_token);
    assert.deepEqual([second.expires_in, second.scope], [300, "api.read"]);
    await refusedGrant(anybody.ask("POST", "/auth/token", { body: { grant_type: "refresh_token", refresh_token: second.refresh_token, scope: "api.read agents.read" } }), 400, "invalid_scope");
  });

  test("ends with the access token that was given back, and the access token with the refresh token", async () => {
    const [one, two] = [await start(), await start()];
    await anybody.revoke(one.access_token);
    await refusedGrant(refresh(one.refresh_token), 400, "invalid_grant");
    await anybody.revoke(two.refresh_token);
    await sleep(FELT);
    for (const { access_token } of [one, two]) assert.ok(!(await works(access_token)));
    assert.ok(await works(mine.api_key));
  });

  test("ends with its key, and with its agent", async () => {
    const [rotated, suspended] = [await child(mine), await child(mine)];
    const [one, two] = [await anybody.authenticate(rotated.api_key), await anybody.authenticate(suspended.api_key)];
    await mine.key.rotateCredential(rotated.credential.id);
    await mine.key.deleteAgent(suspended.id);
    await sleep(FELT);
    for (const { refresh_token, access_token } of [one, two]) {
      assert.equal((await refresh(refresh_token)).status, 400);
      assert.ok(!(await works(access_token)));
    }
  });

  test("with a token that was spent a minute ago ends the whole family, successors too", async () => {
    const first = await start();
    const { body: second } = await refresh(first.refresh_token);
    assert.equal((await refresh(first.refresh_token)).body.refresh_token, second.refresh_token, "a lost answer is repeated");
    const { body: third } = await refresh(second.refresh_token);
    await sleep(61_000);
    await refusedGrant(refresh(first.refresh_token), 400, "invalid_grant");
    await refusedGrant(refresh(third.refresh_token), 400, "invalid_grant");
    await sleep(FELT);
    assert.ok(!(await works(third.access_token)));
  });
});

describe("an agent that cannot be seen", () => {
  test("is as unknown as one that never was, whatever is done to it", async () => {
    const never = `reg_${"0".repeat(22)}`;
    const theirs = await child(stranger);
    const told = async (method, path, body) => {
      const { status, body: answer } = await mine.key.ask(method, path, body === undefined ? {} : { body });
      return { status, answer };
    };
    for (const [method, path, body] of [["GET", ""], ["PATCH", "", { name: "Mine now" }], ["DELETE", ""], ["GET", "/children"], ["GET", "/credentials"]]) {
      const answers = [];
      for (const id of [stranger.id, theirs.id, never]) answers.push(await told(method, `/agents/${id}${path}`, body));
      assert.equal(answers[0].status, 404, `${method} ${path}`);
      assert.deepEqual(answers[1], answers[2], `${method} ${path}`);
      assert.deepEqual(answers[0], answers[2], `${method} ${path}`);
    }
    for (const [method, path, body] of [["POST", "/agents", { name: "Cuckoo", agent_type: "tool", parent_agent_id: stranger.id }], ["POST", "/credentials", { agent_id: stranger.id }]]) {
      const [there, nowhere] = [await told(method, path, body), await told(method, path, JSON.parse(JSON.stringify(body).replace(stranger.id, never)))];
      assert.deepEqual(there, nowhere, `${method} ${path}`);
      assert.equal(there.status, 404);
    }
    assert.ok(!(await mine.key.listAgents({ limit: 100 })).data.some(({ id }) => id === stranger.id));
  });

  test("keeps what it has to itself: credentials, policies, delegations, webhooks", async () => {
    const theirs = await child(stranger);
    const policy = await stranger.key.createPolicy({ name: "Theirs", effect: "deny", subjects: { wildcard: true }, resources: { paths: ["/theirs"] }, actions: ["delete"] });
    const delegation = await stranger.key.createDelegation({ delegate_agent_id: theirs.id, scopes: ["api.read"] });
    const webhook = await stranger.key.createWebhook({ url: "https://agent.example.com/theirs", events: ["agent.suspended"] });
    const tries = [
      ["GET", `/credentials/${theirs.credential.id}`], ["POST", `/credentials/${theirs.credential.id}/rotate`], ["DELETE", `/credentials/${theirs.credential.id}`],
      ["GET", `/policies/${policy.id}`], ["PUT", `/policies/${policy.id}`, { enabled: false }], ["DELETE", `/policies/${policy.id}`],
      ["GET", `/delegations/${delegation.id}`], ["GET", `/delegations/${delegation.id}/chain`], ["DELETE", `/delegations/${delegation.id}`],
      ["GET", `/webhooks/${webhook.id}`], ["GET", `/webhooks/${webhook.id}/logs`], ["POST", `/webhooks/${webhook.id}/rotate`], ["DELETE", `/webhooks/${webhook.id}`],
    ];
    for (const [method, path, body] of tries) await refused(mine.key.ask(method, path, body === undefined ? {} : { body }), 404, "not_found");
    for (const path of ["/credentials", "/policies", "/delegations", "/webhooks"]) {
      const { text } = await mine.key.ask("GET", path);
      for (const id of [stranger.id, theirs.id, theirs.credential.id, policy.id, delegation.id, webhook.id]) assert.ok(!text.includes(id), `${path} shows ${id}`);
    }
    // What was tried in vain stands in the audit of whoever tried, with the name that they gave; what the others did does not.
    const events = (await mine.key.audit({ limit: 500, order: "desc" })).data;
    assert.ok(events.some(({ outcome, target_id }) => outcome === "denied" && target_id === theirs.credential.id));
    assert.ok(events.every(({ actor_id }) => actor_id !== stranger.id && actor_id !== theirs.id));
    assert.ok(await works(theirs.api_key));
    assert.equal((await stranger.key.must(200, "GET", `/policies/${policy.id}`)).data.enabled, true);
  });
});

describe("a delegation", () => {
  test("makes peers visible to each other, and gives no authority over credentials", async () => {
    const [one, two] = [await child(mine), await child(mine)];
    await refused(one.key.ask("GET", `/agents/${two.id}`), 404, "not_found");
    await one.key.createDelegation({ delegate_agent_id: two.id, scopes: ["api.read"] });
    assert.equal((await one.key.getAgent(two.id)).data.id, two.id);
    assert.equal((await two.key.getAgent(one.id)).data.id, one.id);
    for (const [by, on] of [[one, two], [two, one]]) {
      for (const [method, path, body] of [["POST", "/credentials", { agent_id: on.id }], ["POST", `/credentials/${on.credential.id}/rotate`], ["DELETE", `/credentials/${on.credential.id}`]]) {
        const { status } = await by.key.ask(method, path, body === undefined ? {} : { body });
        assert.ok([403, 404].includes(status), `${method} ${path}: ${status}`);
      }
      assert.ok(await works(on.api_key));
    }
  });

  test("across accounts changes nothing for anybody who has not accepted it", async () => {
    const before = await stranger.key.listAgents();
    const made = await mine.key.createDelegation({ delegate_agent_id: stranger.id, scopes: ["api.read"] });
    assert.equal(made.is_active, false);
    await refused(mine.key.ask("GET", `/agents/${stranger.id}`), 404, "not_found");
    const grant = { grant_type: "agent_delegation", delegation_token: mine.token.access_token, client_secret: stranger.api_key };
    assert.ok([400, 401].includes((await anybody.ask("POST", "/auth/token", { body: grant })).status));
    assert.deepEqual((await stranger.key.listAgents()).meta, before.meta);
    assert.ok(await works(stranger.api_key));
    await stranger.key.must(200, "POST", `/delegations/${made.id}/accept`);
    assert.equal((await anybody.grant(grant)).scope, "api.read");
    await mine.key.revokeDelegation(made.id);
  });

  test("adds to what the delegate may, and its end takes only that away", async () => {
    const one = await child(mine, {}, { scopes: ["api.read"] });
    const made = await mine.key.createDelegation({ delegate_agent_id: one.id, scopes: ["api.read"] });
    assert.ok(await works(one.api_key));
    await mine.key.revokeDelegation(made.id);
    await sleep(FELT);
    assert.ok(await works(one.api_key));
    assert.equal((await anybody.authenticate(one.api_key)).scope, "api.read", "not more, and not less");
  });

  test("goes no deeper than it says, and no circle comes of it", async () => {
    const [one, two, three] = [await child(mine), await child(mine), await child(mine)];
    const first = await mine.key.createDelegation({ delegate_agent_id: one.id, scopes: ["api.read"], max_chain_depth: 2 });
    const second = await one.key.createDelegation({ delegate_agent_id: two.id, scopes: ["api.read"], source_delegation_id: first.id });
    assert.deepEqual([second.chain_depth, second.chain_depth_remaining, second.max_absolute_chain_depth], [2, 0, 2]);
    const { status, body } = await two.key.ask("POST", "/delegations", { body: { delegate_agent_id: three.id, scopes: ["api.read"], source_delegation_id: second.id } });
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal((await two.key.chain(second.id)).chain.length, 2);
    const token = await anybody.grant({ grant_type: "agent_delegation", delegation_id: second.id, client_secret: two.api_key });
    assert.ok(await works(token.access_token));
    await mine.key.revokeDelegation(first.id);
    await sleep(FELT);
    assert.ok(!(await works(token.access_token)), "what is above has ended");
  });

  test("does not let anybody manage", async () => {
    const one = await child(mine);
    await mine.key.createDelegation({ delegate_agent_id: one.id, scopes: ["api.read"] });
    const { access_token } = await anybody.grant({ grant_type: "agent_delegation", delegation_token: mine.token.access_token, client_secret: one.api_key });
    assert.equal((await anybody.as({ token: access_token }).ask("GET", "/agents")).status, 403);
  });

  test("is needed: a parent's token alone brings nothing", async () => {
    const one = await child(mine);
    const { status } = await anybody.ask("POST", "/auth/token", { body: { grant_type: "agent_delegation", delegation_token: mine.token.access_token, client_secret: one.api_key } });
    assert.ok([400, 401].includes(status), String(status));
  });
});

describe("a credential", () => {
  test("that was rotated is dead at once, with its tokens", async () => {
    const one = await child(mine);
    const { access_token } = await anybody.authenticate(one.api_key);
    const { raw_key } = await mine.key.rotateCredential(one.credential.id);
    assert.ok(!(await works(one.api_key)));
    await refusedGrant(anybody.ask("POST", "/auth/token", { body: { grant_type: "client_credentials", client_secret: one.api_key } }), 401, "invalid_client");
    assert.ok(await works(raw_key));
    await sleep(FELT);
    assert.ok(!(await works(access_token)));
  });

  test("that was revoked is dead with its tokens, and cannot be rotated back to life", async () => {
    const one = await child(mine);
    const { access_token } = await anybody.authenticate(one.api_key);
    await mine.key.revokeCredential(one.credential.id);
    await sleep(FELT);
    for (const secret of [one.api_key, access_token]) assert.ok(!(await works(secret)));
    await refused(mine.key.ask("POST", `/credentials/${one.credential.id}/rotate`), 400, "already_revoked");
  });

  test("of a suspended agent does not count, nor of anybody below, until it is brought back", async () => {
    const above = await child(mine);
    const { data } = await mine.key.createAgent({ name: "Below", parent_agent_id: above.id });
    const { raw_key } = await mine.key.createCredential({ agent_id: data.id });
    const { access_token } = await anybody.authenticate(raw_key);
    await mine.key.deleteAgent(above.id);
    await sleep(FELT);
    for (const secret of [above.api_key, raw_key, access_token]) assert.ok(!(await works(secret)));
    assert.equal((await looked(access_token)).active, false);
    assert.deepEqual((await mine.key.getAgent(data.id)).meta, { is_root: false, is_active: false });
    await mine.key.updateAgent(above.id, { status: "active" });
    await sleep(FELT);
    for (const secret of [above.api_key, raw_key]) assert.ok(await works(secret));
  });
});

describe("what is garbage", () => {
  const GARBAGE = ["", "x", "a.b.c", "postern_x", "..", "\u0000", "é".repeat(500), "A".repeat(9000), `${"e30".repeat(3)}.e30.`];

  test("is looked at as inactive, and never breaks anything", async () => {
    for (const token of GARBAGE) {
      const { status, body, text } = await anybody.ask("POST", "/auth/token/introspect", { form: { token }, headers: SERVER });
      if (status === 200) assert.deepEqual(body, { active: false });
      else assert.deepEqual([status, body.error], [400, "invalid_request"], text);
    }
  });

  test("is given back with 200, as what was given back before", async () => {
    for (const token of GARBAGE.slice(1)) assert.ok([200, 400].includes((await anybody.ask("POST", "/auth/token/revoke", { form: { token } })).status));
    const { access_token } = await anybody.authenticate(mine.api_key);
    for (let times = 0; times < 3; times += 1) assert.deepEqual(await anybody.revoke(access_token), {});
  });
});

describe("who asks", () => {
  test("may send the key in either header, and not two different ones", async () => {
    for (const headers of [{ "x-agent-key": mine.api_key }, { authorization: `Bearer ${mine.api_key}` }, { authorization: `Bearer ${mine.token.access_token}` }]) {
      assert.equal((await anybody.ask("GET", "/agents", { headers })).status, 200);
    }
    assert.equal((await anybody.ask("GET", "/agents", { headers: { "x-agent-key": mine.api_key, authorization: `Bearer ${stranger.api_key}` } })).status, 400);
    const { headers } = await anybody.ask("GET", "/agents");
    assert.match(headers.get("www-authenticate"), /^Bearer .*resource_metadata=/);
    await refused(anybody.ask("GET", "/agents"), 401, "unauthorized");
    await refused(anybody.as({ apiKey: "postern_nonsense" }).ask("GET", "/agents"), 401, "invalid_token");
  });

  test("is told how many requests are left, and what was decided", async () => {
    const { headers } = await mine.bearer.ask("GET", "/agents");
    const [limit, remaining, reset] = ["limit", "remaining", "reset"].map((name) => Number(headers.get(`x-ratelimit-${name}`)));
    assert.ok(limit > remaining && remaining > 0 && reset * 1000 >= Date.now() - 1000 && reset * 1000 <= Date.now() + 61_000, `${limit} ${remaining} ${reset}`);
    assert.equal(headers.get("x-authorization-decision"), "allow");
  });
});

describe("a permission", () => {
  const DENY = { name: "No deletes", effect: "deny", subjects: { wildcard: true }, resources: { paths: ["/api/v1/agents/*"] }, actions: ["delete"] };

  test("is decided the same for the question and for the deed, for a root too", async () => {
    const other = await root(postern);
    const one = await child(other);
    const policy = await other.key.createPolicy(DENY);
    for (const who of [other, one]) {
      const resource = `/api/v1/agents/${one.id}`;
      const asked = await who.key.evaluate({ agent_id: who.id, action: "delete", resource });
      assert.deepEqual([asked.allowed, asked.matching_policy_id], [false, policy.id]);
      await refused(who.key.ask("DELETE", `/agents/${one.id}`), 403, "policy_denied");
    }
    await other.key.must(200, "PUT", `/policies/${policy.id}`, { body: { enabled: false } });
    assert.equal((await other.key.evaluate({ agent_id: other.id, action: "delete", resource: `/api/v1/agents/${one.id}` })).allowed, true);
    await other.key.deleteAgent(one.id);
  });

  test("is not to be had by writing oneself a policy", async () => {
    const other = await root(postern);
    const policy = await other.key.createPolicy({ name: "Everything", effect: "allow", subjects: { wildcard: true }, resources: { wildcard: true }, actions: ["*"] });
    const asked = await other.key.evaluate({ agent_id: other.id, action: "execute", resource: "/payments" });
    assert.deepEqual([asked.allowed, asked.matching_policy_id, asked.missing_scope], [false, policy.id, "payments.execute"]);
    const covered = await other.key.evaluate({ agent_id: other.id, action: "execute", resource: "/payments", scope: "api.read" });
    assert.deepEqual([covered.allowed, covered.matching_policy_id, covered.missing_scope], [true, policy.id, null]);
  });

  test("of an agent of somebody else is asked in vain, as of one that never was", async () => {
    const ask = (agent_id) => mine.key.ask("POST", "/policies/evaluate", { body: { agent_id, action: "read", resource: "/api/v1/agents" } });
    const [theirs, nobody] = [await ask(stranger.id), await ask(`reg_${"0".repeat(22)}`)];
    assert.deepEqual([theirs.status, theirs.body], [nobody.status, nobody.body]);
    assert.equal(theirs.status, 404);
  });
});
