// How agents come: registrations, repeats of them, and what became of those that had no good answer.
import { from } from "../addresses.mjs";
import { keyed, named } from "./asks.mjs";
import { json } from "./client.mjs";
import { newAgent } from "./ledger.mjs";

/** For so long a request may be repeated with its Idempotency-Key; the deployment remembers it for ten minutes at least. */
const REPEATABLE = 8 * 60_000;

let names = 0;
const name = (what) => `${what} ${(names += 1)}`;

/** How each kind of agent comes, what names it in the answer and what proves it. */
const ARRIVALS = {
  identity: { status: 200, request: () => json("/agent/identity", { type: "anonymous", agent: name("agent") }, { ...from(), ...named() }), id: ({ registration_id }) => registration_id, secret: ({ identity_assertion }) => identity_assertion, again: ({ claim_token }) => claim_token },
  key: { status: 200, request: () => json("/agent/auth", { type: "anonymous", requested_credential_type: "api_key", agent: name("agent") }, { ...from(), ...named() }), id: ({ registration_id }) => registration_id, secret: ({ credential }) => credential, again: ({ credential }) => credential },
  root: { status: 201, request: () => json("/api/v1/agents/quickstart", { name: name("Root"), agent_type: "orchestrator" }, { ...from(), ...named() }), id: ({ agent }) => agent.id, secret: ({ api_key }) => api_key, again: ({ api_key }) => api_key },
};

const POLICY = { name: "Reports", effect: "allow", subjects: { agent_types: ["tool", "orchestrator"] }, resources: { paths: ["/reports", "/reports/*"] }, actions: ["read"] };

/** The operations that register, and the one that finds out in the end; the second argument is what `judges` gives. */
export function arrivals({ send, ledger }, { wrong, reading, perhapsTwice }) {
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

  return { arrive, issue, repeat, child, resolve };
}
