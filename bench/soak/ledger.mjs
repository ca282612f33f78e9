// What the deployment has acknowledged, and so has to be true from then on: kept by the client, and compared with what it says later.
import { pick } from "./random.mjs";

/** Tokens that are looked at again; beyond that, new ones take the place of others. */
const LIVE_TOKENS = 20_000;
/** So many of the newest are at work, and their objects in memory; this share of all choices is among all, most of whom have been idle for long. */
const NEWEST = 256;
const IDLE = 1 / 8;
/** Tokens of an agent that are remembered to the end of it. */
const TOKENS_OF_ONE = 4;
/** Spent refresh tokens of a family that has ended. */
const SPENT_OF_ONE = 3;
/** A deployment remembers only so many revoked tokens of one registration one by one; this is far below. */
export const REVOKED_OF_ONE = 8;

/** A registration: `secret` is its assertion or API key, `request` what it came with. `ended` is when, in ms, or null. */
export const newAgent = (kind, id, secret, request) => ({ kind, id, secret, request, born: performance.now(), ended: null, version: 0, busy: false, tokens: [], revoked: 0, sessions: [], credential: null, policy: false });

/** A session remembers the newest of its tokens only; all of them end with it. */
export const counts = ({ ended, session }) => ended === null && !session?.dead;

export class Ledger {
  agents = [];
  /** Those that change, by kind: identity, key, root, child. */
  kinds = { identity: [], key: [], root: [], child: [] };
  /** People who have signed in, and what continues their clients: see family.mjs. */
  people = [];
  families = [];
  tokens = [];
  /** What must never count again: tokens, API keys, assertions, refresh tokens of agents and clients, with the moment when that was acknowledged. */
  ended = [];
  /** Registrations that had no good answer. */
  unknown = [];
  /** The key set, which does not change. */
  keys = null;

  constructor(chance) {
    this.chance = chance;
  }

  add(agent) {
    this.agents.push(agent);
    this.kinds[agent.kind].push(agent);
    return agent;
  }

  /** One of a list that fulfils the condition, or undefined if there is none among a few. */
  some(list, holds = () => true) {
    const all = this.chance() < IDLE;
    for (let time = 0; time < 12; time += 1) {
      // Where the newest are busy, older ones do the work: were they left alone, an overload would bring ever more arrivals, which cost most.
      const newest = all ? 0 : Math.max(0, list.length - NEWEST * 2 ** time);
      const found = list[newest + Math.floor(this.chance() * (list.length - newest))];
      if (found && holds(found)) return found;
    }
    return undefined;
  }

  /** An agent that lives, and of which nothing is being changed. */
  agent(kind, holds = () => true) {
    return this.some(this.kinds[kind], (agent) => !agent.busy && agent.ended === null && holds(agent));
  }

  token(agent, value, session = null) {
    const token = { agent, value, session, ended: null };
    agent.tokens.push(token);
    if (agent.tokens.length > TOKENS_OF_ONE) agent.tokens.shift();
    if (this.tokens.length < LIVE_TOKENS) this.tokens.push(token);
    else this.tokens[Math.floor(this.chance() * LIVE_TOKENS)] = token;
    return token;
  }

  /** A family that lives, and of which nothing is being changed. */
  family(holds = () => true) {
    return this.some(this.families, (family) => !family.busy && family.ended === null && holds(family));
  }

  /** A token that counts, of an agent of which nothing is being changed. */
  live(holds = () => true) {
    return this.some(this.tokens, (token) => counts(token) && !token.agent.busy && holds(token));
  }

  /** Something that has ended, of those kinds and so many milliseconds ago. */
  gone(kinds, age) {
    return this.some(this.ended, ({ kind, since }) => kinds.includes(kind) && performance.now() - since > age);
  }

  end(kind, value, agent, why) {
    this.ended.push({ kind, value, agent, why, since: performance.now() });
  }

  endToken(token, why) {
    if (token.ended !== null) return;
    token.ended = performance.now();
    this.end("token", token.value, token.agent, why);
  }

  endSession(session, why) {
    session.dead = true;
    this.end("refresh", session.refresh, session.agent, why);
    for (const token of session.tokens) this.endToken(token, why);
    session.agent.sessions = session.agent.sessions.filter((other) => other !== session);
  }

  /** A family takes with it what it has brought; of its spent tokens some of the newest are looked at again. */
  endFamily(family, why) {
    family.dead = true;
    family.ended = performance.now();
    family.person.families -= 1;
    for (const token of [family.refresh, ...[...family.rotations.keys()].slice(-SPENT_OF_ONE)]) this.end("client refresh", token, family, why);
    for (const token of family.tokens) this.endToken(token, why);
  }

  /** A key of a root that works no more takes with it what was issued for it. */
  endCredential(agent, why) {
    this.end("key", agent.credential.key, agent, why);
    for (const session of [...agent.sessions]) this.endSession(session, why);
    agent.credential = null;
  }

  endAgent(agent, why) {
    agent.ended = performance.now();
    this.end(agent.kind === "identity" ? "assertion" : "key", agent.secret, agent, why);
    for (const token of this.tokens) if (token.agent === agent) this.endToken(token, why);
    for (const token of agent.tokens) this.endToken(token, why);
  }

  /**
   * Changes an agent, alone. If it goes wrong, nobody knows how it stands: it is left alone until it is looked at in the end, and `lost`
   * says that its secrets may be others.
   */
  async change(agent, work) {
    agent.busy = true;
    agent.version += 1;
    const result = await work().catch((error) => {
      agent.lost = true;
      throw error;
    });
    agent.version += 1;
    agent.busy = false;
    return result;
  }

  pick(list) {
    return pick(list, this.chance);
  }
}
