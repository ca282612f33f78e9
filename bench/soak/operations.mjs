// The mix: what clients do, and what each answer has to say. An operation is one thing that a client wants, of one or more requests.
// It gives false if there is nothing that it could be done with.
import { arrivals } from "./arrivals.mjs";
import { byAssertion, byKey, introspection, keyed, me, named, refreshing, refused, whoami } from "./asks.mjs";
import { bare, form, get, json } from "./client.mjs";
import { families } from "./families.mjs";
import { TOO_LATE } from "./family.mjs";
import { judges } from "./judges.mjs";
import { REVOKED_OF_ONE } from "./ledger.mjs";
import { LIVENESS, METADATA } from "./server.mjs";

/** What has ended counts no more after so many milliseconds. */
const FELT = LIVENESS + 100;
/** A key has eight refresh tokens at most. */
const SESSIONS = 6;

/**
 * The mix, as a list of operations with their weights; `begin`, which makes people ready for it; and `resolve`, which finds out in the end
 * what became of registrations that failed.
 */
export function operations({ send, ledger, tally, chance }) {
  const judging = judges({ send, tally, chance });
  const { wrong, seldom, reading, perhapsTwice } = judging;
  const { arrive, issue, repeat, child, resolve } = arrivals({ send, ledger }, judging);
  const clients = families({ send, ledger }, judging);

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
    const late = (session) => session.spent.slice(0, -1).find(({ at }) => performance.now() - at > TOO_LATE);
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
    const question = json("/api/v1/policies/evaluate", { agent_id: agent.id, action: "read", resource: "/reports/2027", scope: "api.read" }, keyed(agent.secret));
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
    ...clients.mix,
  ].map(([title, work, weight]) => ({ title, work, weight }));
  return { mix, begin: clients.begin, resolve };
}
