// A strict client of the AuthKit dialect of auth.md against the gate: discovery, anonymous, service_auth, ID-JAG, refresh.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { AuthKit } from "./support/authkit.mjs";
import { call } from "./support/agent.mjs";
import { altered, es256, ownKey, stranger } from "./support/forge.mjs";
import { ok, read } from "./support/answers.mjs";
import { Browser, codeOn } from "./support/person.mjs";
import { ROUNDS, address, deploy } from "./support/postern.mjs";
import { provide, seconds, trusting } from "./support/provider.mjs";

let postern, provider;
before(async () => {
  provider = await provide({ name: "Known Agents" });
  postern = await deploy({ vars: trusting(provider) });
});
after(() => Promise.all([postern.stop(), provider.stop()]));

const agent = (options) => new AuthKit(postern.issuer, options);
const refuses = (promise, code, status) => assert.rejects(promise, (error) => (assert.deepEqual([error.code, error.status], [code, status], error.stack), assert.ok(error.said.length > 10), true));
const other = (code) => String((Number(code) + 1) % 1_000_000).padStart(6, "0");
const me = (client, options) => client.fetch(`${postern.issuer}/api/v1/auth/me`, options);
const decodeHeader = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url"));
const past = new Date(0).toISOString();

/** The person opens the link, signs in, and asks for the code. */
async function codeFor(email, verification_uri, look = () => {}) {
  const person = await new Browser(postern).signIn(email, verification_uri);
  look(person.html);
  await person.submit("/claim/code");
  const code = codeOn(person.html);
  assert.match(code ?? "", /^\d{6}$/, person.html);
  return code;
}

/** A claimed agent. */
async function claimed(email, options) {
  const client = agent(options);
  const { verification_uri } = await client.authenticate({ email });
  await client.completeClaim(await codeFor(email, verification_uri));
  return client;
}

describe("discovery", () => {
  for (const tail of ["", "/", "//", "/mcp", "/mcp/", "/api/v1", "/api/v1//"]) {
    test(`finds the server from the issuer with ${tail || "no slash"} at its end (1)`, async () => {
      const client = new AuthKit(postern.issuer + tail);
      const { issuer, agent_auth } = await client.metadata();
      assert.equal(issuer, postern.issuer);
      assert.ok(!/[/?#]$/.test(agent_auth.claim_endpoint) && !agent_auth.claim_endpoint.includes("?"));
      const { status, id } = await client.authenticate();
      assert.deepEqual([status, client.pending.id, client.pending.url], ["ready", id, agent_auth.claim_endpoint]);
    });
  }

  test("a path that no resource of ours has is no issuer, and is told so in JSON (1)", async () => {
    await assert.rejects(new AuthKit(`${postern.issuer}/elsewhere`).metadata(), { code: "discovery_failed", status: 404 });
  });
});

describe("the whole way", () => {
  test("an anonymous agent is ready at once, is claimed after a wrong code, and calls the API (43)", async () => {
    const [client, email] = [agent(), "anonymous-43@example.com"];
    const first = await client.authenticate();
    assert.deepEqual([first.status, first.claimed, first.scope], ["ready", false, "api.read"]);
    assert.equal((await client.authenticate()).access_token, first.access_token);
    assert.equal((await me(client)).body.claimed, false);
    const { status, id, verification_uri } = await client.authenticate({ email });
    assert.deepEqual([status, id], ["claim_required", first.id]);
    await refuses(client.completeClaim("000000"), "claim_not_confirmed", 409);
    const code = await codeFor(email, verification_uri);
    await refuses(client.completeClaim(other(code)), "invalid_user_code", 401);
    const ready = await client.completeClaim(code);
    assert.deepEqual([ready.status, ready.id, ready.claimed, ready.scope], ["ready", first.id, true, "api.read api.write"]);
    const { status: answered, body } = await me(client);
    assert.deepEqual([answered, body.registration_id, body.claimed], [200, first.id, true]);
    assert.equal(await call(postern.issuer, first.access_token), 401);
  });

  test("an upgrade with another address starts anew, and the link before it is dead (43)", async () => {
    const client = agent();
    await client.authenticate();
    const { verification_uri: before } = await client.authenticate({ email: "before-43@example.com" });
    const { verification_uri } = await client.authenticate({ email: "after-43@example.com" });
    const person = await new Browser(postern).signIn("before-43@example.com", before);
    assert.notEqual(person.status, 200);
    const ready = await client.completeClaim(await codeFor("after-43@example.com", verification_uri));
    assert.equal(ready.claimed, true);
  });

  test("an agent for a person it names has nothing before they confirm, and all after (44)", async () => {
    const [client, email] = [agent(), "named-44@example.com"];
    const { status, id, verification_uri } = await client.authenticate({ email });
    assert.deepEqual([status, client.kept], ["claim_required", null]);
    await refuses(client.completeClaim("000000"), "claim_not_confirmed", 409);
    const code = await codeFor(email, verification_uri);
    await refuses(client.completeClaim(other(code)), "invalid_user_code", 401);
    const ready = await client.completeClaim(code, `${postern.issuer}/mcp`);
    assert.deepEqual([ready.status, ready.id, ready.claimed], ["ready", id, true]);
    assert.equal((await me(client)).status, 200);
    await assert.rejects(client.completeClaim(code), { code: "no_pending_claim" });
  });

  test("no answer and no page promises a code for longer than its ten minutes (43)", async () => {
    const email = "minutes-43@example.com";
    const agents = [["anonymous", { type: "anonymous" }], ["service_auth", { type: "service_auth", login_hint: email }]];
    for (const [kind, fields] of agents) {
      const { claim, claim_token } = await ok(postern.json("/agent/identity", fields));
      const { claim_attempt, expires_at } = await ok(postern.json("/agent/identity/claim", { claim_token, email }));
      const times = [claim.expires_in, claim_attempt.expires_in].filter(Boolean);
      assert.ok(times.every((time) => time > 590 && time <= 600), `${kind}: ${times}`);
      assert.ok(Date.parse(expires_at) <= Date.now() + 600_000);
    }
    const { verification_uri } = await agent().authenticate({ email });
    const person = await new Browser(postern).signIn(email, verification_uri);
    await person.submit("/claim/code");
    const minutes = [...person.html.matchAll(/(\d+) minutes/g)].map(([, number]) => Number(number));
    assert.ok(minutes.length > 0 && minutes.every((number) => number <= 10), `the page: ${minutes}`);
  });

  test("an agent whose person refuses is told claim_denied (44)", async () => {
    const [client, email] = [agent(), "refused-44@example.com"];
    const { verification_uri } = await client.authenticate({ email });
    await (await new Browser(postern).signIn(email, verification_uri)).submit("/claim/deny");
    await refuses(client.completeClaim("000000"), "claim_denied", 403);
  });

  test("a provider's word lets a new person's agent in at once; the agent of a person with an account steps up first (44)", async () => {
    const clean = agent();
    const { status, claimed: mine } = await clean.authenticate({ idJag: provider.idJag(postern) });
    assert.deepEqual([status, mine, clean.kept.identity.refresh_token], ["ready", true, undefined]);
    const who = { sub: "user-44", email: "stepped-44@example.com" };
    await new Browser(postern).signIn(who.email);
    const client = agent();
    const { id } = await client.authenticate({ idJag: provider.idJag(postern, who) });
    const again = await client.authenticate({ idJag: provider.idJag(postern, who) });
    assert.deepEqual([again.status, again.id], ["claim_required", id]);
    await refuses(client.completeClaim("000000"), "claim_not_confirmed", 409);
    const code = await codeFor(who.email, again.verification_uri, (html) => assert.match(html, /Known Agents/));
    assert.deepEqual([(await client.completeClaim(code)).claimed, (await me(client)).status], [true, 200]);
    const next = await agent().authenticate({ idJag: provider.idJag(postern, who) });
    assert.deepEqual([next.status, next.id], ["ready", id]);
  });

  test("a sign-in that is too old comes as login_required with max_age (44)", async () => {
    const idJag = provider.idJag(postern, { auth_time: seconds() - 4000 });
    await assert.rejects(agent().authenticate({ idJag }), ({ code, status, body }) => code === "login_required" && status === 401 && body.max_age === 3600 && body.claim === undefined);
  });
});

describe("the wrong assertion in the wrong place", () => {
  const own = { header: { typ: "agent-identity+jwt" } };

  test("ours is no provider's word, neither as it is nor in a provider's dress (68)", async () => {
    const { identity } = await claimed("place-68@example.com").then(({ kept }) => kept);
    const { privateKey } = stranger();
    const dressed = altered(identity.assertion, { header: { typ: "oauth-id-jag+jwt" } }, (await ownKey(postern)).seal);
    await refuses(agent().authenticate({ idJag: identity.assertion }), "invalid_issuer", 400);
    await refuses(agent().authenticate({ idJag: dressed }), "invalid_issuer", 400);
    await refuses(agent().authenticate({ idJag: altered(provider.idJag(postern), {}, es256(privateKey)) }), "invalid_signature", 400);
    await assert.rejects(agent().authenticate({ idJag: provider.idJag(postern, {}, own.header) }), ({ status }) => status === 400);
  });

  test("what a provider signs is exchanged for nothing in the place of ours (68)", async () => {
    const client = agent();
    const { id } = await client.authenticate();
    const claims = { iss: postern.issuer, aud: postern.issuer, sub: id, generation: 0 };
    const { kid } = decodeHeader(client.kept.identity.assertion);
    for (const header of [own.header, { ...own.header, kid }, {}, { kid }]) {
      client.kept = { ...client.kept, token: null, identity: { ...client.kept.identity, assertion: provider.idJag(postern, claims, header) } };
      await refuses(client.authenticate(), "invalid_grant", 400);
    }
  });
});

describe("what is off or too much", () => {
  test("anonymous registration that is off is not advertised, and refused as anonymous_not_enabled with status 400 (13)", async (t) => {
    const closed = await deploy({ vars: { IDENTITY_TYPES: "service_auth" } });
    t.after(() => closed.stop());
    const client = new AuthKit(closed.issuer);
    await assert.rejects(client.authenticate(), { code: "no_applicable_method" });
    client.known.agent_auth.identity_types_supported.push("anonymous");
    await refuses(client.authenticate(), "anonymous_not_enabled", 400);
  });

  test("types are a list even when all of them are off (2)", async (t) => {
    const closed = await deploy({ vars: { IDENTITY_TYPES: "none" } });
    t.after(() => closed.stop());
    assert.deepEqual((await new AuthKit(closed.issuer).metadata()).agent_auth.identity_types_supported, []);
  });

  test("ten sign-ups for one person leave the three newest (16)", async () => {
    const [client, email] = [agent(), "ten-16@example.com"];
    const tried = [];
    for (let time = 0; time < 10; time += 1) tried.push([await client.authenticate({ email }), client.pending]);
    assert.equal(new Set(tried.map(([{ id }]) => id)).size, 10);
    const person = await new Browser(postern).signIn(email);
    const pages = [];
    for (const [{ verification_uri }] of tried) pages.push((await person.open(verification_uri)).status);
    assert.deepEqual(pages.map((status) => status === 200), [...Array(7).fill(false), true, true, true], pages.join());
    const starts = [];
    for (const [, { url, token }] of tried.slice(0, 7)) starts.push((await read(fetch(url, client.json({ type: "service_auth", claim_token: token, login_hint: email })))).status);
    assert.ok(starts.every((status) => [401, 410].includes(status)), starts.join());
    await person.open(tried[9][0].verification_uri);
    await person.submit("/claim/code");
    assert.equal((await client.completeClaim(codeOn(person.html))).status, "ready");
  });

  test("a person's claimed agents are not superseded by new sign-ups (16)", async () => {
    const [email, ip] = ["kept-16@example.com", address()];
    const mine = await claimed(email, { ip });
    for (let time = 0; time < 4; time += 1) await agent({ ip }).authenticate({ email });
    mine.kept.token = null;
    assert.equal((await me(mine)).status, 200);
  });
});

describe("an identity goes on", () => {
  test("the token at hand, then the assertion, then the refresh token, then nothing without the person (51)", async () => {
    const client = await claimed("order-51@example.com");
    const { access_token } = await client.authenticate();
    assert.equal((await client.authenticate({ email: "someone-else@example.com" })).access_token, access_token);
    const elsewhere = await client.authenticate({ resource: `${postern.issuer}/mcp` });
    assert.notEqual(elsewhere.access_token, access_token);
    await refuses(client.authenticate({ resource: "https://foreign.example/" }), "invalid_target", 400);
    // Somebody else spends it, and nobody uses what comes of that.
    await ok(postern.json("/agent/identity", { type: "refresh", refresh_token: client.kept.identity.refresh_token.value }));
    client.kept = { ...client.kept, token: null, identity: { ...client.kept.identity, expires_at: past } };
    const { status } = await client.authenticate();
    assert.equal(status, "ready");
    await read(postern.form("/oauth2/revoke", { token: client.kept.token.access_token }));
    assert.equal((await me(client)).status, 200, "a token that was revoked is replaced");
    client.kept.identity.refresh_token.expires_at = client.kept.identity.expires_at = past;
    client.kept.token = null;
    await assert.rejects(client.authenticate(), { code: "reauthentication_required" });
  });

  test("two processes that refresh one token at once are both ready, and go on from there (51)", async () => {
    const script = fileURLToPath(new URL("./support/authkit.mjs", import.meta.url));
    for (let round = 0; round < ROUNDS; round += 1) {
      const client = await claimed(`two-51-${round}@example.com`);
      const kept = { ...client.kept, token: null, identity: { ...client.kept.identity, expires_at: past } };
      const processes = [fork(script), fork(script)];
      await Promise.all(processes.map((process) => (process.send({ issuer: postern.issuer, kept }), once(process, "message"))));
      const answers = await Promise.all(processes.map(async (process) => (process.send({ go: true }), (await once(process, "message"))[0])));
      assert.deepEqual(answers.map(({ answer }) => answer.status), ["ready", "ready"], JSON.stringify(answers));
      const [one, two] = answers.map((answer) => answer.kept);
      assert.equal(one.identity.refresh_token.value, two.identity.refresh_token.value);
      for (const mine of [one, two]) {
        assert.equal(await call(postern.issuer, mine.token.access_token), 200);
        const next = agent({ kept: { ...mine, token: null, identity: { ...mine.identity, expires_at: past } } });
        assert.equal((await next.authenticate()).status, "ready");
      }
    }
  });
});

describe("this client is strict: a server that answers otherwise fails it", () => {
  /** A client that reads our answers with this change. */
  const bent = (change) => agent({ send: async (url, init) => {
    const response = await fetch(url, init);
    const body = await response.json();
    return Response.json(change(body, new URL(url).pathname) ?? body, { status: response.status });
  } });
  const CHANGES = {
    agent_auth_unsupported: [(body) => ({ ...body, agent_auth: {} }), {}],
    no_applicable_method: [(body) => void (body.agent_auth && (body.agent_auth.identity_types_supported = [])), {}],
    unsupported_identity_type: [(body) => void (body.agent_auth && (body.agent_auth.identity_assertion = {})), { idJag: "x" }],
    "unexpected_response for no identity": [(body) => void delete body.identity, {}],
    "unexpected_response for a date that is none": [(body) => void (body.identity && (body.identity.expires_at = "soon")), {}],
    "unexpected_response for no attempt": [(body) => void delete body.claim?.attempt, { email: "strict@example.com" }],
    "unexpected_response for no link": [(body) => void delete body.claim?.attempt?.verification_uri, { email: "strict@example.com" }],
    "unexpected_response for no claim token": [(body) => void delete body.claim?.token, {}],
  };
  for (const [what, [change, options]] of Object.entries(CHANGES)) {
    test(what, () => assert.rejects(bent(change).authenticate(options), { code: what.split(" ")[0] }));
  }

  test("a lifetime that is no number, and a list that is none", async () => {
    await assert.rejects(bent((body) => void delete body.expires_in).authenticate(), RangeError);
    await assert.rejects(bent((body) => void (body.agent_auth && (body.agent_auth.identity_types_supported = "anonymous"))).authenticate(), TypeError);
    await assert.rejects(agent({ send: async () => new Response("<p>no</p>", { status: 500 }) }).authenticate(), { code: "invalid_response" });
    const slashed = bent((body) => void (body.agent_auth && (body.agent_auth.claim_endpoint += "/")));
    await slashed.authenticate({ email: "slashed@example.com" });
    await assert.rejects(slashed.completeClaim("000000"), ({ code }) => code !== "claim_not_confirmed");
  });
});
