// What a client written from AgentAuth's documentation does, from the first call to the last, in the words and shapes that it knows.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, sleep } from "./support/agent.mjs";
import { AgentAuth, UNHURRIED, child, claimedRoot, refused, refusedGrant, root, shapes } from "./support/agentauth.mjs";
import { RESOURCE_SERVER_KEY, deploy } from "./support/postern.mjs";

let postern, anybody, mine;
before(async () => {
  postern = await deploy({ vars: UNHURRIED });
  anybody = new AgentAuth(postern);
  mine = await root(postern, { name: "Orchestrator", description: "Has others work", homepage_url: "https://agent.example/", max_child_depth: 4, metadata: { team: "blue" } });
});
after(() => postern?.stop());

describe("what is said of the service", () => {
  test("is where AgentAuth has it, with its names", async () => {
    const found = await anybody.discover();
    for (const name of ["issuer", "token_endpoint", "token_introspection_endpoint", "token_revocation_endpoint", "jwks_uri", "registration_endpoint", "quickstart_endpoint", "agent_registration_endpoint", "scopes_endpoint", "policy_syntax_endpoint", "scopes_supported", "grant_types_supported", "token_lifetimes", "agent_types_supported", "trust_levels_supported", "quickstart", "delegation"]) assert.ok(name in found, name);
    assert.equal(found.issuer, postern.issuer);
    assert.deepEqual([found.token_lifetimes.access_token_seconds, found.token_lifetimes.refresh_buffer_seconds], [900, 60]);
    assert.equal(found.delegation.depth_semantics, "absolute");
    assert.deepEqual([...found.agent_types_supported].sort(), ["assistant", "autonomous", "orchestrator", "tool"]);
  });

  test("and so are the keys, for whoever asks", async () => {
    const { keys } = await anybody.must(200, "GET", "/auth/jwks");
    assert.ok(keys.length > 0 && keys.every(({ kid, alg, use, kty }) => kid && alg && use === "sig" && kty));
  });

  test("and the scopes, which resolve", async () => {
    const { data, total } = await anybody.must(200, "GET", "/scopes");
    assert.ok(total >= data.length && data.every(({ name }) => typeof name === "string"));
    const names = data.map(({ name }) => name);
    for (const scope of ["agents.read", "agents.write", "credentials.read", "credentials.write", "delegations.read", "delegations.write", "policies.read", "policies.write", "webhooks.read", "webhooks.write", "audit.read"]) assert.ok(names.includes(scope), scope);
    const { requested, resolved } = await anybody.must(200, "POST", "/scopes/resolve", { body: ["agents.*", "something.else"] });
    assert.deepEqual(requested, ["agents.*", "something.else"]);
    assert.deepEqual(["agents.read", "agents.write", "something.else"].filter((scope) => !resolved.includes(scope)), []);
  });
});

describe("quickstart", () => {
  test("gives an agent, its key and a token that work", async () => {
    const { agent, api_key, api_key_prefix, token } = mine;
    assert.ok(api_key.startsWith(api_key_prefix) && api_key_prefix.length < api_key.length / 2);
    assert.deepEqual([agent.name, agent.agent_type, agent.trust_level, agent.status, agent.parent_agent_id, agent.max_child_depth], ["Orchestrator", "orchestrator", "root", "active", null, 4]);
    assert.deepEqual([agent.description, agent.homepage_url, agent.metadata, agent.deactivated_at], ["Has others work", "https://agent.example/", { team: "blue" }, null]);
    assert.equal(typeof token.refresh_token, "string");
    for (const secret of [api_key, token.access_token]) assert.equal(await call(postern.issuer, secret), 200);
  });

  test("is answered 422 for what does not fit, and says what", async () => {
    for (const body of [{}, { name: "x" }, { name: "", agent_type: "tool" }, { name: "x", agent_type: "robot" }, { name: "x", agent_type: "tool", max_child_depth: 11 }]) {
      const { errors } = await refused(anybody.ask("POST", "/agents/quickstart", { body }), 422, "invalid_request");
      assert.ok(Array.isArray(errors) && errors.length > 0);
    }
  });

  test("bootstrap gives a root without an API key", async () => {
    const { data, meta } = await anybody.bootstrap({ name: "Bare" });
    shapes.agent(data);
    assert.deepEqual([meta.is_root, data.trust_level, meta.api_key, data.api_key], [true, "root", undefined, undefined]);
  });
});

describe("tokens", () => {
  test("come for the key, by JSON and by form, with the times of AgentAuth", async () => {
    for (const form of [false, true]) {
      const token = await anybody.authenticate(mine.api_key, undefined, { form });
      assert.equal(token.expires_in, 900);
      assert.equal(typeof token.refresh_token, "string");
      const [issued, expires, refresh] = [token.issued_at, token.expires_at, token.refresh_before].map(Date.parse);
      assert.deepEqual([expires - issued, expires - refresh], [900_000, 60_000]);
      assert.equal(await call(postern.issuer, token.access_token), 200);
    }
  });

  test("a client that looks at refresh_before always has one that works", async () => {
    const key = (await mine.key.createCredential({ agent_id: mine.id, token_lifetime_seconds: 61 })).raw_key;
    let token = await anybody.authenticate(key);
    assert.equal(token.expires_in, 61);
    const fresh = async () => {
      if (Date.now() < Date.parse(token.refresh_before)) return token;
      token = await anybody.grant({ grant_type: "refresh_token", refresh_token: token.refresh_token });
      return token;
    };
    const first = token.access_token;
    await sleep(2100);
    assert.notEqual((await fresh()).access_token, first, "its time came a second after it was issued");
    assert.equal(await call(postern.issuer, token.access_token), 200);
    assert.equal(await call(postern.issuer, first), 200, "the one before counts to its end");
  });

  test("carry what was asked for, and management if all was", async () => {
    assert.equal((await anybody.authenticate(mine.api_key, "agents.read")).scope, "agents.read");
    const all = (await anybody.authenticate(mine.api_key)).scope.split(" ");
    for (const scope of ["agents.read", "agents.write", "credentials.write", "delegations.write", "audit.read", "api.read"]) assert.ok(all.includes(scope), `${scope} is not in ${all}`);
    await refusedGrant(anybody.ask("POST", "/auth/token", { body: { grant_type: "client_credentials", client_secret: mine.api_key, scope: "agents.read no.such" } }), 400, "invalid_scope");
  });

  test("are refused as RFC 6749 has it, not wrapped", async () => {
    const grant = (body) => anybody.ask("POST", "/auth/token", { body });
    await refusedGrant(grant({ grant_type: "client_credentials", client_secret: `${mine.api_key.slice(0, -1)}${mine.api_key.endsWith("A") ? "B" : "A"}` }), 401, "invalid_client");
    await refusedGrant(grant({ grant_type: "password", username: "x", password: "y" }), 400, "unsupported_grant_type");
    await refusedGrant(grant({ grant_type: "client_credentials" }), 401, "invalid_client");
    await refusedGrant(grant({}), 400, "invalid_request");
  });

  test("are exchanged for narrower ones (RFC 8693), which say of what type they are", async () => {
    const type = "urn:ietf:params:oauth:token-type:access_token";
    const token = await anybody.grant({ grant_type: "urn:ietf:params:oauth:grant-type:token-exchange", client_secret: mine.api_key, subject_token: mine.token.access_token, subject_token_type: type, scope: "agents.read" });
    assert.deepEqual([token.scope, token.issued_token_type, token.refresh_token], ["agents.read", type, undefined]);
    const short = await anybody.grant({ grant_type: "token_exchange", client_secret: mine.api_key, subject_token: mine.token.access_token, scope: "agents.read" });
    assert.equal(short.scope, "agents.read", "the name of its README too");
  });

  test("are looked at by their bearer, who shows them, and by nobody else", async () => {
    const { access_token } = await anybody.authenticate(mine.api_key);
    const self = await anybody.as({ token: access_token }).introspect(access_token);
    assert.equal(self.active, true);
    for (const name of ["scope", "client_id", "sub", "aud", "iss", "exp", "iat", "jti"]) assert.ok(name in self, name);
    assert.equal(self.sub, mine.id);
    const basic = { authorization: `Basic ${Buffer.from(`api:${RESOURCE_SERVER_KEY}`).toString("base64")}` };
    const server = await anybody.ask("POST", "/auth/token/introspect", { form: { token: access_token }, headers: basic });
    assert.deepEqual([server.status, server.body.active], [200, true]);
    assert.deepEqual((await anybody.ask("POST", "/auth/token/introspect", { form: { token: "garbage" }, headers: basic })).body, { active: false });
    await refusedGrant(anybody.ask("POST", "/auth/token/introspect", { form: { token: access_token } }), 401, "invalid_client");
  });

  test("are given back, however often", async () => {
    const { access_token } = await anybody.authenticate(mine.api_key);
    for (const token of [access_token, access_token, "garbage"]) assert.deepEqual(await anybody.revoke(token), {});
    await sleep(1100);
    assert.equal(await call(postern.issuer, access_token), 401);
  });
});

describe("agents", () => {
  test("are made, listed, looked at and changed, wrapped in data and meta", async () => {
    const { data, meta } = await mine.key.createAgent({ name: "Worker", agent_type: "tool", description: "Works", metadata: { n: 1 } });
    assert.deepEqual([meta.is_root, meta.parent_agent_id, data.parent_agent_id, data.trust_level, data.agent_type, data.max_child_depth], [false, mine.id, mine.id, "delegated", "tool", 3]);
    const listed = await mine.bearer.listAgents({ limit: 100 });
    assert.deepEqual(listed.data.find(({ id }) => id === data.id), data);
    assert.ok(listed.data.some(({ id }) => id === mine.id) && listed.meta.total >= 2);
    assert.deepEqual(listed.meta.limit, 100);
    const one = await mine.key.listAgents({ limit: 1, offset: 1, parent_agent_id: mine.id, status: "active" });
    assert.deepEqual([one.meta.limit, one.meta.offset, one.meta.parent_agent_id, one.meta.status_filter], [1, 1, mine.id, "active"]);
    assert.deepEqual(await mine.key.getAgent(data.id), { data, meta: { is_root: false, is_active: true } });
    assert.equal((await mine.key.getAgent(mine.id)).meta.is_root, true);
    const changed = await mine.key.updateAgent(data.id, { name: "Worker two", description: "Works more", metadata: { n: 2 } });
    assert.deepEqual([changed.data.name, changed.data.description, changed.data.metadata, typeof changed.meta.message], ["Worker two", "Works more", { n: 2 }, "string"]);
    const below = await mine.key.children(mine.id);
    assert.deepEqual([below.meta.parent_agent_id, below.meta.parent_name], [mine.id, "Orchestrator"]);
    assert.ok(below.data.some(({ id }) => id === data.id));
    const gone = await mine.key.deleteAgent(data.id);
    assert.deepEqual([gone.data.status, typeof gone.data.deactivated_at], ["suspended", "string"]);
    const back = await mine.key.updateAgent(data.id, { status: "active" });
    assert.deepEqual([back.data.status, back.data.deactivated_at], ["active", null]);
  });

  test("are paged within limits, and total counts all of them", async () => {
    const other = await root(postern);
    for (const name of ["a", "b", "c"]) await other.key.createAgent({ name });
    const seen = [];
    for (let offset = 0; ; offset += 2) {
      const { data, meta } = await other.key.listAgents({ limit: 2, offset });
      assert.equal(meta.total, 4);
      if (data.length === 0) break;
      seen.push(...data.map(({ id }) => id));
    }
    assert.deepEqual([seen.length, new Set(seen).size], [4, 4]);
    for (const query of [{ limit: 0 }, { limit: 101 }, { limit: -1 }, { limit: "x" }, { offset: -1 }, { status: "asleep" }]) await refused(other.key.ask("GET", "/agents", { query }), 422, "invalid_request");
  });
});

describe("credentials", () => {
  test("are made, listed, rotated and revoked", async () => {
    const { data } = await mine.key.createAgent({ name: "Has keys" });
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const made = await mine.key.createCredential({ agent_id: data.id, type: "api_key", scopes: ["api.read"], expires_at: until, token_lifetime_seconds: 120, metadata: { for: "night" } });
    const { credential, raw_key } = made;
    assert.ok(raw_key.startsWith(credential.prefix));
    assert.deepEqual([credential.agent_id, credential.type, credential.scopes, credential.token_lifetime_seconds, credential.metadata, credential.is_valid], [data.id, "api_key", ["api.read"], 120, { for: "night" }, true]);
    assert.equal(Date.parse(credential.expires_at), Date.parse(until));
    assert.equal((await anybody.authenticate(raw_key)).expires_in, 120);

    const brief = await mine.key.agentCredentials(data.id);
    assert.deepEqual([brief.data.id, brief.meta.credentials_count, brief.meta.credentials[0].id], [data.id, 1, credential.id]);

    const { old_credential, new_credential, raw_key: next } = await mine.key.rotateCredential(credential.id);
    assert.deepEqual([old_credential.id, old_credential.is_valid, new_credential.is_valid], [credential.id, false, true]);
    assert.notEqual(new_credential.id, credential.id);
    for (const name of ["agent_id", "type", "scopes", "expires_at", "metadata", "token_lifetime_seconds"]) assert.deepEqual(new_credential[name], credential[name], name);
    assert.equal((await anybody.authenticate(next)).expires_in, 120, "the lifetime is kept");

    const listed = await mine.key.listCredentials({ agent_id: data.id });
    assert.deepEqual(listed.data.map(({ id }) => id), [new_credential.id]);
    const all = await mine.key.listCredentials({ agent_id: data.id, include_revoked: true });
    assert.deepEqual(all.data.map(({ id }) => id).sort(), [credential.id, new_credential.id].sort());
    assert.ok(![...listed.data, ...all.data].some((one) => JSON.stringify(one).includes(next)), "keys are shown once");

    const ended = await mine.key.revokeCredential(new_credential.id);
    assert.deepEqual([ended.meta.credential_id, ended.data.is_valid], [new_credential.id, false]);
    assert.equal((await mine.key.getCredential(new_credential.id)).data.is_valid, false);
    await refused(mine.key.ask("DELETE", `/credentials/${new_credential.id}`), 400, "already_revoked");
    await refused(mine.key.ask("POST", `/credentials/${new_credential.id}/rotate`), 400, "already_revoked");
    await refusedGrant(anybody.ask("POST", "/auth/token", { body: { grant_type: "client_credentials", client_secret: next } }), 401, "invalid_client");
  });

  test("have lifetimes of a minute to a day, and nothing that is not known", async () => {
    const ask = (fields) => mine.key.ask("POST", "/credentials", { body: { agent_id: mine.id, ...fields } });
    for (const token_lifetime_seconds of [60, 86_400]) assert.equal((await ask({ token_lifetime_seconds })).status, 201);
    for (const token_lifetime_seconds of [59, 86_401, "60"]) await refused(ask({ token_lifetime_seconds }), 422, "invalid_request");
    for (const fields of [{ type: "mtls_cert" }, { scopes: "api.read" }, { expires_at: "tomorrow" }, { expires_at: "2001-01-01T00:00:00Z" }]) await refused(ask(fields), 422, "invalid_request");
  });
});

describe("delegations", () => {
  test("are made, listed, followed and revoked", async () => {
    const [one, two] = [await child(mine), await child(mine)];
    const first = await mine.key.createDelegation({ delegate_agent_id: one.id, scopes: ["api.read"], constraints: { amount: { max: 100 } }, max_chain_depth: 2, expires_at: new Date(Date.now() + 3_600_000).toISOString() });
    assert.deepEqual([first.delegator_agent_id, first.delegate_agent_id, first.scopes, first.chain_depth, first.max_chain_depth, first.max_absolute_chain_depth, first.chain_depth_remaining, first.is_active, first.revoked_at], [mine.id, one.id, ["api.read"], 1, 2, 2, 1, true, null]);
    assert.deepEqual(first.constraints, { amount: { max: 100 } });
    const { data } = await mine.key.listDelegations({ active_only: true });
    assert.ok(data.some(({ id }) => id === first.id));
    assert.ok((await one.key.listDelegations()).data.some(({ id }) => id === first.id), "the delegate sees it too");
    const { delegation_id, chain, effective_scopes } = await one.key.chain(first.id);
    assert.deepEqual([delegation_id, chain.length, effective_scopes], [first.id, 1, ["api.read"]]);

    const token = await anybody.grant({ grant_type: "agent_delegation", delegation_token: mine.token.access_token, client_secret: one.api_key, scope: "api.read" });
    assert.equal(token.scope, "api.read");
    assert.equal(await call(postern.issuer, token.access_token), 200);

    const answer = await mine.key.revokeDelegation(first.id, { cascade: true });
    assert.equal(answer.revoked ?? answer.data?.revoked, 1);
    await sleep(1100);
    assert.equal(await call(postern.issuer, token.access_token), 401, "its tokens end with it");
    assert.ok(!(await mine.key.listDelegations({ active_only: true })).data.some(({ id }) => id === first.id));
    assert.equal((await mine.key.listDelegations({ active_only: false })).data.find(({ id }) => id === first.id).is_active, false);
    assert.equal(two.agent.status, "active");
  });

  test("are refused with what AgentAuth's clients look at", async () => {
    const one = await child(mine);
    const make = (fields) => mine.key.ask("POST", "/delegations", { body: { delegate_agent_id: one.id, scopes: ["api.read"], max_chain_depth: 3, ...fields } });
    await refused(make({ delegate_agent_id: mine.id }), 400, "invalid_delegation");
    await refused(make({ scopes: ["no.such"] }), 400, "invalid_delegation");
    for (const fields of [{ max_chain_depth: 0 }, { max_chain_depth: 11 }, { scopes: [] }]) assert.ok([400, 422].includes((await make(fields)).status), JSON.stringify(fields));
    assert.equal((await make({ constraints: { amount: { about: 100 } } })).status, 400);
    const last = await mine.key.createDelegation({ delegate_agent_id: one.id, scopes: ["api.read"], max_chain_depth: 1 });
    assert.equal(last.chain_depth_remaining, 0);
  });
});

describe("policies", () => {
  test("are made, listed, changed and deleted, and evaluated", async () => {
    const worker = await child(mine);
    const asked = { agent_id: worker.id, action: "write", resource: "/api/v1/files", context: {} };
    const before = await mine.key.evaluate(asked);
    assert.deepEqual([before.allowed, before.effect, before.matching_policy_id, before.delegation_id], [false, "deny", null, null]);
    assert.equal(before.missing_scope, "files.write");
    const policy = await mine.key.createPolicy({ name: "Files", effect: "allow", subjects: { agent_ids: [worker.id] }, resources: { paths: ["/api/v1/files"] }, actions: ["write"], conditions: {}, priority: 5, enabled: true });
    const after = await mine.key.evaluate(asked);
    assert.deepEqual([after.allowed, after.effect, after.matching_policy_id, after.matching_policy_name], [false, "deny", policy.id, "Files"], "a policy alone gives no right");
    assert.equal(after.missing_scope, "files.write");
    const covered = { ...asked, scope: "api.read" };
    const allowed = await mine.key.evaluate(covered);
    assert.deepEqual([allowed.allowed, allowed.effect, allowed.matching_policy_id, allowed.matching_policy_name], [true, "allow", policy.id, "Files"]);
    assert.ok((await mine.key.must(200, "GET", "/policies", { query: { enabled_only: true } })).data.some(({ id }) => id === policy.id));
    const changed = await mine.key.must(200, "PUT", `/policies/${policy.id}`, { body: { effect: "deny" } });
    assert.equal(changed.data.effect, "deny");
    assert.equal((await mine.key.evaluate(covered)).allowed, false);
    assert.equal((await mine.key.ask("DELETE", `/policies/${policy.id}`)).status, 204);
    await refused(mine.key.ask("GET", `/policies/${policy.id}`), 404, "not_found");
    assert.equal((await anybody.must(200, "GET", "/policies/syntax")).data.unknown_keys.length > 0, true);
  });

  test("with what cannot be evaluated are refused", async () => {
    const usual = { name: "x", effect: "deny", subjects: { wildcard: true }, resources: { wildcard: true }, actions: ["read"] };
    for (const wrong of [{ subjects: {} }, { subjects: { moods: ["bad"] } }, { conditions: { country: "DE" } }, { resources: { paths: ["/agents*"] } }, { actions: [] }, { colour: "red" }]) await refused(mine.key.ask("POST", "/policies", { body: { ...usual, ...wrong } }), 422, "invalid_policy");
  });
});

describe("the audit", () => {
  test("is listed and exported in pages that lose nothing", async () => {
    const other = await root(postern);
    for (let count = 0; count < 12; count += 1) await other.key.createAgent({ name: `Audited ${count}` });
    const all = (await other.key.audit({ limit: 500 })).data;
    assert.ok(all.filter(({ event_type }) => event_type === "agent.created").length >= 12);
    const paged = [];
    for (let after; ; ) {
      const { data, meta } = await other.key.audit({ limit: 5, ...(after ? { after } : {}) });
      assert.equal(meta.returned, data.length);
      paged.push(...data);
      if (!meta.next_cursor) break;
      after = meta.next_cursor;
    }
    const lines = [];
    for (let after; ; ) {
      const { events, next } = await other.key.exportAudit({ limit: 5, ...(after ? { after } : {}) });
      lines.push(...events);
      if (!next) break;
      after = next;
    }
    // Looking is not audited, or it is later than what was there.
    const known = new Set(all.map(({ id }) => id));
    for (const [what, found] of Object.entries({ paged, lines })) {
      const ids = found.map(({ id }) => id).filter((id) => known.has(id));
      assert.deepEqual([ids.length, new Set(ids).size], [known.size, known.size], what);
    }
    const some = (await other.key.audit({ event_type: "agent.created", outcome: "success", actor_id: other.id })).data;
    assert.ok(some.length >= 12 && some.every(({ event_type, actor_id }) => event_type === "agent.created" && actor_id === other.id));
    assert.ok(!JSON.stringify(all).includes(other.api_key), "no secret is in it");
  });
});

test("the webhooks are made, listed and deleted by whoever is claimed, and the secret is shown once", async () => {
  const wanted = { url: "https://agent.example.com/hook", events: ["credential.rotated", "agent.suspended"] };
  await refused(mine.key.ask("POST", "/webhooks", { body: wanted }), 403, "insufficient_scope");
  const owned = await claimedRoot(postern, "hooks@example.com");
  const webhook = await owned.key.createWebhook(wanted);
  assert.match(webhook.secret, /^whsec_/);
  const { data } = await owned.key.listWebhooks();
  assert.deepEqual(data.map(({ id }) => id), [webhook.id]);
  assert.ok(!JSON.stringify(data).includes(webhook.secret.slice(6)));
  assert.deepEqual(await owned.key.webhookLogs(webhook.id), []);
  assert.ok([200, 204].includes((await owned.key.deleteWebhook(webhook.id)).status));
  await refused(owned.key.ask("GET", `/webhooks/${webhook.id}/logs`), 404, "not_found");
});

test("stats are those of the tree", async () => {
  const { data } = await mine.key.must(200, "GET", "/stats");
  for (const name of ["agents", "credentials"]) assert.ok(name in data, name);
});

test("an Idempotency-Key makes a POST one, on every kind of POST", async () => {
  const headers = () => ({ "idempotency-key": `key-of-the-tests-${Math.random()}` });
  const [one, two, three] = [headers(), headers(), headers()];
  const makes = [() => mine.key.createAgent({ name: "Once" }, one), () => mine.key.createCredential({ agent_id: mine.id }, two)];
  for (const make of makes) {
    const [first, again] = [await make(), await make()];
    assert.deepEqual(again, first);
  }
  const { credential } = await mine.key.createCredential({ agent_id: mine.id });
  const [rotated, repeated] = [await mine.key.rotateCredential(credential.id, three), await mine.key.rotateCredential(credential.id, three)];
  assert.equal(repeated.raw_key, rotated.raw_key);
  await refused(mine.key.ask("POST", "/agents", { body: { name: "Other", agent_type: "tool" }, headers: one }), 422, "idempotency_key_reused");
});
