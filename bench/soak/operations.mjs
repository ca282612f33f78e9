// The mix: what clients do, and what each answer has to say. An operation is one thing that a client wants, of one or more requests.
// It gives false if there is nothing that it could be done with.
import { randomUUID } from "node:crypto";
import { from } from "../addresses.mjs";
import { bare, form, get, json } from "./client.mjs";
import { REVOKED_OF_ONE, newAgent } from "./ledger.mjs";
import { LIVENESS, METADATA, RESOURCE_SERVER_KEY } from "./server.mjs";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const MCP = "2026-07-28";
/** What has ended counts no more after so many milliseconds. */
export const FELT = LIVENESS + 100;
/** For so long a request may be repeated with its Idempotency-Key; the deployment remembers it for ten minutes at least. */
const REPEATABLE = 8 * 60_000;
/** A spent refresh token brings its successor for a minute after it was used; after so long it ends the family. */
const SPENT_FOR_GOOD = 65_000;
/** A key has eight refresh tokens at most. */
const SESSIONS = 6;

export const bearer = (token) => ({ Authorization: `Bearer ${token}` });
export const me = (credential) => get("/api/v1/auth/me", bearer(credential));
export const introspection = (token) => form("/oauth2/introspect", { client_id: "api", client_secret: RESOURCE_SERVER_KEY, token });
export const byAssertion = (assertion) => form("/oauth2/token", { grant_type: JWT_BEARER, assertion });
export const byKey = (client_secret) => form("/oauth2/token", { grant_type: "client_credentials", client_secret });
export const refreshing = (refresh_token) => json("/api/v1/auth/token", { grant_type: "refresh_token", refresh_token });
export const keyed = (key, more = {}) => ({ "X-Agent-Key": key, ...more });
const named = () => ({ "Idempotency-Key": randomUUID() });
const whoami = (token) =>
  json("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "whoami", arguments: {}, _meta: { "io.modelcontextprotocol/protocolVersion": MCP, "io.modelcontextprotocol/clientCapabilities": {} } } }, {
    ...bearer(token), Accept: "application/json, text/event-stream", "MCP-Protocol-Version": MCP, "Mcp-Method": "tools/call", "Mcp-Name": "whoami",
  });

let names = 0;
const name = (what) => `${what} ${(names += 1)}`;

/** How each kind of agent comes, what names it in the answer and what proves it. */
const ARRIVALS = {
  identity: { status: 200, request: () => json("/agent/identity", { type: "anonymous", agent: name("agent") }, { ...from(), ...named() }), id: ({ registration_id }) => registration_id, secret: ({ identity_assertion }) => identity_assertion, again: ({ claim_token }) => claim_token },
  key: { status: 200, request: () => json("/agent/auth", { type: "anonymous", requested_credential_type: "api_key", agent: name("agent") }, { ...from(), ...named() }), id: ({ registration_id }) => registration_id, secret: ({ credential }) => credential, again: ({ credential }) => credential },
  root: { status: 201, request: () => json("/api/v1/agents/quickstart", { name: name("Root"), agent_type: "orchestrator" }, { ...from(), ...named() }), id: ({ agent }) => agent.id, secret: ({ api_key }) => api_key, again: ({ api_key }) => api_key },
};

const POLICY = { name: "Reports", effect: "allow", subjects: { agent_types: ["tool", "orchestrator"] }, resources: { paths: ["/reports", "/reports/*"] }, actions: ["read"] };

/** The mix, as a list of operations with their weights, and `resolve`, which finds out in the end what became of registrations that failed. */
export function operations({ send, ledger, tally, chance }) {
  const wrong = (kind, what, detail) => tally.fail(kind, what, detail);
  const seldom = (share) => chance() < share;

  /** Reads about an agent, and judges the answer unless the agent was changed meanwhile: then a refusal may be right, too. */
  async function reading(agent, what, request, status, judge) {
    const seen = agent.version;
    const answer = await send(what, request, status, 400, 401);
    if (agent.version !== seen) tally.unjudged += 1;
    else if (answer && answer.status !== status) wrong("lost", what, `${agent.id} is refused: ${answer.status} ${answer.text.slice(0, 300)}`);
    else if (answer) judge(answer);
  }

  /** The same request, once or twice at the same time; the answers that are there. */
  const perhapsTwice = async (share, ask) => (await Promise.all(Array.from({ length: seldom(share) ? 2 : 1 }, ask))).filter(Boolean);

  /** Keeps in mind what went wrong with a registration, whose outcome nobody knows. */
  const unknown = (kind, request, parent = null) => (error) => {
    ledger.unknown.push({ kind, request, parent });
    throw error;
  };

  /** Finds out how those ended, by the same requests again. */
  async function resolve() {
    const known = new Set(ledger.agents.map(({ id }) => id));
    for (const { kind, request, parent } of ledger.unknown) {
      const { status, id, secret } = kind === "child" ? { status: 201, id: ({ data }) => data.id, secret: () => null } : ARRIVALS[kind];
      const answer = await send(`find out about ${kind}`, request, status).catch(() => null);
      if (!answer || known.has(id(answer.json))) continue;
      known.add(id(answer.json));
      ledger.add({ ...newAgent(kind, id(answer.json), secret(answer.json), request), parent });
    }
  }

  async function arrive(kind) {
    const arrival = ARRIVALS[kind];
    const request = arrival.request();
    const answers = await perhapsTwice(0.25, () => send(`register ${kind}`, request, arrival.status)).catch(unknown(kind, request));
    if (!answers.length) return true;
    const [{ json: first }] = answers;
    const agent = ledger.add(newAgent(kind, arrival.id(first), arrival.secret(first), request));
    for (const { json: other } of answers.slice(1)) same(agent, arrival, other, first);
    if (kind === "root") await ledger.change(agent, () => settle(agent));
    return true;
  }

  function same(agent, arrival, answer, first = null) {
    if (arrival.id(answer) !== agent.id || (first && arrival.again(answer) !== arrival.again(first))) wrong("doubled", `register ${agent.kind}`, `one Idempotency-Key, ${agent.id} and ${arrival.id(answer)}`);
    if (agent.kind !== "identity" && arrival.secret(answer) !== agent.secret) wrong("doubled", `register ${agent.kind}`, `one Idempotency-Key and two keys of ${agent.id}`);
  }

  /** A second key, which is rotated and revoked while the first one manages; and a policy. */
  async function settle(agent) {
    await issue(agent);
    agent.policy = (await send("create policy", json("/api/v1/policies", POLICY, keyed(agent.secret, named())), 201)) !== null;
  }

  async function issue(agent) {
    const answer = await send("create key", json("/api/v1/credentials", { agent_id: agent.id }, keyed(agent.secret, named())), 201);
    if (answer) agent.credential = { id: answer.json.credential.id, key: answer.json.raw_key };
  }

  async function repeat() {
    const young = (agent) => agent.request && performance.now() - agent.born < REPEATABLE;
    const agent = ledger.agent(ledger.pick(Object.keys(ARRIVALS)), young);
    if (!agent) return false;
    const arrival = ARRIVALS[agent.kind];
    await reading(agent, `repeat ${agent.kind}`, agent.request, arrival.status, ({ json: body }) => same(agent, arrival, body));
    return true;
  }

  async function child() {
    const parent = ledger.agent("root");
    if (!parent) return false;
    const request = json("/api/v1/agents", { name: name("Child"), agent_type: "tool" }, keyed(parent.secret, named()));
    const answers = await perhapsTwice(0.25, () => send("create child", request, 201)).catch(unknown("child", request, parent));
    const ids = new Set(answers.map(({ json: { data } }) => data.id));
    if (ids.size > 1) wrong("doubled", "create child", `one Idempotency-Key, ${[...ids].join(" and ")}`);
    for (const id of ids) ledger.add({ ...newAgent("child", id, null, null), parent });
    return true;
  }

  /** A token for what proves an agent. */
  async function token(kind, request) {
    const agent = ledger.agent(kind);
    if (!agent) return false;
    await reading(agent, `token by ${kind}`, request(agent.secret), 200, ({ json: body }) => ledger.token(agent, body.access_token));
    return true;
  }

  async function login() {
    const agent = ledger.agent("root", ({ credential, sessions }) => credential && sessions.length < SESSIONS);
    if (!agent) return false;
    return ledger.change(agent, async () => {
      const answer = await send("log in", json("/api/v1/auth/token", { grant_type: "client_credentials", client_secret: agent.credential.key }), 200);
      // A key with as many as it may have gets no further one.
      if (!answer?.json.refresh_token) return true;
      const session = { agent, refresh: answer.json.refresh_token, tokens: [], spent: [], dead: false };
      session.tokens.push(ledger.token(agent, answer.json.access_token, session));
      agent.sessions.push(session);
      return true;
    });
  }

  async function refresh() {
    const agent = ledger.agent("root", ({ sessions }) => sessions.length > 0);
    if (!agent) return false;
    return ledger.change(agent, async () => {
      const session = ledger.pick(agent.sessions);
      const spent = session.refresh;
      const answers = await perhapsTwice(0.25, () => send("refresh", refreshing(spent), 200));
      if (seldom(0.15)) answers.push(...(await perhapsTwice(0, () => send("refresh again", refreshing(spent), 200))));
      const successors = new Set(answers.map(({ json: body }) => body.refresh_token));
      if (successors.size > 1) throw wrong("doubled", "refresh", `one refresh token of ${agent.id} has ${successors.size} successors`);
      for (const successor of successors) {
        if (successor === spent || session.spent.some(({ token }) => token === successor)) throw wrong("doubled", "refresh", `a refresh token of ${agent.id} came again`);
        session.spent.push({ token: spent, at: performance.now() });
        session.refresh = successor;
      }
      for (const { json: body } of answers) session.tokens.push(ledger.token(agent, body.access_token, session));
      session.tokens.splice(0, session.tokens.length - 4);
      return true;
    });
  }

  /** A refresh token that was spent long ago: somebody else has it too, and the family ends. */
  async function replay() {
    const late = (session) => session.spent.slice(0, -1).find(({ at }) => performance.now() - at > SPENT_FOR_GOOD);
    const agent = ledger.agent("root", ({ sessions }) => sessions.some(late));
    if (!agent) return false;
    return ledger.change(agent, async () => {
      const session = agent.sessions.find(late);
      if (await send("refresh too late", refreshing(late(session).token), 400)) ledger.endSession(session, "a spent refresh token was presented");
      return true;
    });
  }

  async function rotate() {
    const agent = ledger.agent("root", ({ credential }) => credential);
    if (!agent) return false;
    return ledger.change(agent, async () => {
      const request = bare("POST", `/api/v1/credentials/${agent.credential.id}/rotate`, keyed(agent.secret, named()));
      // Of two at once that are one request, one may come when the other is not through.
      const both = await perhapsTwice(0.25, () => send("rotate", request, 200, 400, 409));
      if (!both.length) return true;
      const again = seldom(0.2) || both.every(({ status }) => status !== 200) ? [await send("rotate again", request, 200)] : [];
      const answers = [...both, ...again].filter((answer) => answer?.status === 200);
      const keys = new Set(answers.map(({ json: body }) => body.raw_key));
      if (keys.size !== 1) throw wrong("doubled", "rotate", `one Idempotency-Key, ${keys.size} new keys of ${agent.id}`);
      const { new_credential, raw_key } = answers[0].json;
      ledger.endCredential(agent, "rotated");
      agent.credential = { id: new_credential.id, key: raw_key };
      await send("new key", me(raw_key), 200);
      return true;
    });
  }

  async function revokeToken() {
    const token = ledger.live(({ agent, session }) => !session && agent.revoked < REVOKED_OF_ONE);
    if (!token) return false;
    return ledger.change(token.agent, async () => {
      if (!(await send("revoke token", form("/oauth2/revoke", { token: token.value }), 200))) return true;
      token.agent.revoked += 1;
      ledger.endToken(token, "revoked");
      return true;
    });
  }

  async function revokeSession() {
    const agent = ledger.agent("root", ({ sessions }) => sessions.length > 0);
    if (!agent) return false;
    return ledger.change(agent, async () => {
      const session = ledger.pick(agent.sessions);
      const token = seldom(0.5) ? session.refresh : session.tokens.at(-1).value;
      if (await send("revoke session", form("/api/v1/auth/token/revoke", { token }), 200)) ledger.endSession(session, "revoked");
      return true;
    });
  }

  async function revokeCredential() {
    const agent = ledger.agent("root", ({ credential }) => credential);
    if (!agent) return false;
    return ledger.change(agent, async () => {
      const answer = await send("revoke key", bare("DELETE", `/api/v1/credentials/${agent.credential.id}`, keyed(agent.secret)), 200, 400);
      if (!answer) return true;
      // Sent again after a broken connection it finds the key revoked, by itself.
      if (answer.status === 400 && !(answer.unsure && answer.json.error === "already_revoked")) throw wrong("wrong status", "revoke key", answer.text);
      ledger.endCredential(agent, "revoked");
      await issue(agent);
      return true;
    });
  }

  /** An agent gives up what proves it, and all that it got with it. */
  async function leave() {
    const agent = ledger.agent(seldom(0.5) ? "identity" : "key");
    if (!agent) return false;
    return ledger.change(agent, async () => {
      if (await send("leave", form("/oauth2/revoke", { token: agent.secret }), 200)) ledger.endAgent(agent, "left");
      return true;
    });
  }

  async function introspectActive() {
    const token = ledger.live();
    if (!token) return false;
    await reading(token.agent, "introspect", introspection(token.value), 200, ({ json: body }) => {
      if (body.active !== true || body.sub !== token.agent.id) wrong("lost", "introspect", `a token of ${token.agent.id} that counts is ${JSON.stringify(body)}`);
    });
    return true;
  }

  async function introspectInactive() {
    const gone = ledger.gone(["token", "key"], FELT);
    if (!gone) return false;
    const answer = await send("introspect what has ended", introspection(gone.value), 200);
    if (answer && answer.text !== '{"active":false}') wrong("came back", "introspect", `a ${gone.kind} of ${gone.agent.id} (${gone.why}) is ${answer.text}`);
    return true;
  }

  /** Presents what has ended where it used to serve. A status that is not the refusal is a failure by itself. */
  async function useEnded() {
    const gone = ledger.gone(["token", "key", "assertion", "refresh"], FELT);
    if (!gone) return false;
    await refused(send, gone, seldom(0.5));
    return true;
  }

  async function call(what, request) {
    const token = ledger.live();
    if (!token) return false;
    await reading(token.agent, what, request(token.value), 200, ({ text }) => {
      if (!text.includes(token.agent.id)) wrong("lost", what, `a token of ${token.agent.id} is another's: ${text.slice(0, 300)}`);
    });
    return true;
  }

  async function evaluate() {
    const agent = ledger.agent("root", ({ policy }) => policy);
    if (!agent) return false;
    const question = json("/api/v1/policies/evaluate", { agent_id: agent.id, action: "read", resource: "/reports/2027" }, keyed(agent.secret));
    await reading(agent, "evaluate", question, 200, ({ json: body }) => body.allowed === true || wrong("lost", "evaluate", `the policy of ${agent.id} does not count`));
    return true;
  }

  async function discover() {
    const answer = await send("discovery", get(METADATA), 200);
    if (answer && !answer.json.token_endpoint) wrong("lost", "discovery", answer.text.slice(0, 200));
    return true;
  }

  async function keySet() {
    const answer = await send("JWKS", get("/.well-known/jwks.json"), 200);
    const kids = answer?.json.keys.map(({ kid }) => kid).join(" ");
    if (answer && kids !== (ledger.keys ??= kids)) wrong("lost", "JWKS", `${ledger.keys} became ${kids}`);
    return true;
  }

  /** Each with its weight. */
  const mix = [
    ["discovery", discover, 6],
    ["JWKS", keySet, 5],
    ["register, assertion", () => arrive("identity"), 5],
    ["register, API key", () => arrive("key"), 4],
    ["quickstart", () => arrive("root"), 2],
    ["repeated registration", repeat, 4],
    ["child agent", child, 1],
    ["token by assertion", () => token("identity", byAssertion), 10],
    ["token by API key", () => token("key", byKey), 10],
    ["log in", login, 3],
    ["refresh", refresh, 8],
    ["refresh too late", replay, 0.5],
    ["rotation", rotate, 3],
    ["revoke token", revokeToken, 3],
    ["revoke session", revokeSession, 1],
    ["revoke API key", revokeCredential, 1],
    ["leave", leave, 1.5],
    ["introspect, active", introspectActive, 10],
    ["introspect, ended", introspectInactive, 5],
    ["use what has ended", useEnded, 4],
    ["/mcp whoami", () => call("whoami", whoami), 8],
    ["bearer", () => call("bearer", me), 5],
    ["evaluate", evaluate, 5],
  ].map(([title, work, weight]) => ({ title, work, weight }));
  return { mix, resolve };
}

/** What has ended is refused where it used to serve: tokens and keys by our API or, keys, by the token endpoint. */
export function refused(send, { kind, value }, elsewhere) {
  if (kind === "assertion") return send("use an ended assertion", byAssertion(value), 400);
  if (kind === "refresh") return send("use an ended refresh token", refreshing(value), 400);
  return kind === "key" && elsewhere ? send("use an ended key", byKey(value), 401) : send(`use an ended ${kind}`, me(value), 401);
}
