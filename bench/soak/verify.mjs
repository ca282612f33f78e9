// The end: everything in the ledger is looked at once more, by a process that was started after the last was killed, and then on the disk.
import { byAssertion, introspection, keyed, me, refreshing, refused } from "./asks.mjs";
import { bare, get } from "./client.mjs";
import { records } from "./disk.mjs";
import { stands } from "./family.mjs";
import { counts } from "./ledger.mjs";

const AT_ONCE = 32;

/** Every question that the ledger answers, as functions that ask it. */
function* questions({ send, ledger, tally }) {
  /** Something of this agent still counts: the answer says so. */
  const has = async (what, { id }, request, text) => {
    const answer = await send(what, request, 200, 400, 401, 404);
    if (answer && (answer.status !== 200 || !answer.text.includes(text))) tally.fail("lost", what, `${id}: ${answer.status} ${answer.text.slice(0, 300)}`);
  };
  for (const agent of ledger.agents) {
    if (agent.lost || agent.ended !== null) continue;
    if (agent.kind === "identity") yield () => has("in the end: assertion", agent, byAssertion(agent.secret), "access_token");
    else if (agent.kind === "child") yield () => has("in the end: child", agent, get(`/api/v1/agents/${agent.id}`, keyed(agent.parent.secret)), agent.id);
    else yield () => has("in the end: key", agent, me(agent.secret), agent.id);
    if (agent.kind === "root") yield () => keys(agent);
    for (const session of agent.sessions) yield () => has("in the end: refresh", agent, refreshing(session.refresh), "refresh_token");
  }
  for (const family of ledger.families) {
    if (!family.lost && family.ended === null) yield () => stands({ send, tally }, family);
  }
  for (const token of ledger.tokens) {
    if (counts(token) && !token.agent.lost) yield () => has("in the end: token", token.agent, introspection(token.value), '"active":true');
  }
  for (const gone of ledger.ended) {
    if (gone.kind === "token" || gone.kind === "key") yield () => inactive(gone);
    if (gone.kind !== "token") yield () => refused(send, gone, true);
  }

  /** The first key and the one of the last rotation, and no other. */
  async function keys(agent) {
    if (agent.credential) await has("in the end: new key", agent, me(agent.credential.key), agent.id);
    const answer = await send("in the end: keys", bare("GET", `/api/v1/credentials?agent_id=${agent.id}&limit=100`, keyed(agent.secret)), 200);
    const valid = answer?.json.data.filter(({ is_valid }) => is_valid).map(({ id }) => id) ?? [];
    const named = agent.credential ? [agent.credential.id] : [];
    if (answer && (valid.length !== named.length + 1 || !named.every((id) => valid.includes(id)))) tally.fail("doubled", "keys", `${agent.id} has ${valid.join(", ")} and should have its first and ${named}`);
  }

  async function inactive(gone) {
    const answer = await send("in the end: ended", introspection(gone.value), 200);
    if (answer && answer.text !== '{"active":false}') tally.fail("came back", "in the end", `a ${gone.kind} of ${gone.agent.id} (${gone.why}) is ${answer.text}`);
  }
}

/** Asks everything; `asked` hears how far it is. */
export async function verify(context, asked) {
  const all = [...questions(context)];
  let done = 0;
  const lane = async () => {
    while (done < all.length) {
      const question = all[done++];
      // What went wrong has been noted.
      await question().catch(() => {});
      asked(done, all.length);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return all.length;
}

/** What is on the disk is what was acknowledged: no registration less, none more, none twice; and so for families. How many registrations there are. */
export function compare({ ledger, tally }, folder) {
  const { names, children, families } = records(folder);
  const own = ledger.agents.filter(({ kind }) => kind !== "child");
  const [there, known] = [counted(names), counted(own.map(({ id }) => id))];
  for (const [id, times] of known) {
    if (!there.has(id)) tally.fail("lost", "storage", `${id} is not there`);
    if (times > 1) tally.fail("doubled", "registrations", `${id} was given ${times} times`);
  }
  for (const [id, times] of there) {
    if (!known.has(id)) tally.fail("doubled", "storage", `${id} was never acknowledged`);
    if (times > 1) tally.fail("doubled", "storage", `${id} is in ${times} objects`);
  }
  const asMany = (what, stored, acknowledged) => {
    const [there, known] = [counted(stored), counted(acknowledged)];
    for (const id of new Set([...there.keys(), ...known.keys()])) {
      const [is, should] = [there.get(id) ?? 0, known.get(id) ?? 0];
      if (is !== should) tally.fail(is < should ? "lost" : "doubled", "storage", `${id} has ${is} ${what} and should have ${should}`);
    }
  };
  asMany("children", children, ledger.kinds.child.map(({ parent }) => parent.id));
  asMany("families of refresh tokens", families, ledger.families.filter(({ ended }) => ended === null).map(({ id }) => id));
  return names.length + children.length;
}

function counted(values) {
  const times = new Map();
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1);
  return times;
}
