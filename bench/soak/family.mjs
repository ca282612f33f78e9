// A family of refresh tokens as its client knows it: each token has one successor, however often it is presented and whatever was restarted.
import { continuing } from "./asks.mjs";
import { newAgent } from "./ledger.mjs";

/** A spent token brings its successor for so many milliseconds after it was used, even if that has been used too. */
export const GRACE = 60_000;
/** After so long it is surely too late, and ends the family. */
export const TOO_LATE = GRACE + 5000;

/**
 * A family of a person's client. `id` is whom its tokens are about, `refresh` its newest token, and `rotations` has what each spent one has
 * brought: when it was presented first, and when the answer was there. What was lost between is between those two moments.
 */
export const newFamily = (person, id, refresh) => ({ ...newAgent("client", id, null, null), person, refresh, rotations: new Map(), dead: false });

/** Whether the spent token with this rotation has brought its last: its successor was used, and nobody can be waiting for it any more. */
export const isOver = (family, rotation, age = GRACE) => rotation.successor !== family.refresh && performance.now() - rotation.at > age;

/** Whether it may have: measured from before the deployment has seen it. */
export const mayBeOver = (family, rotation) => rotation.successor !== family.refresh && performance.now() - rotation.sent >= GRACE;

/** Notes that `spent`, first presented at `sent`, has brought `successor`. What is wrong with that; null if nothing is. */
export function follow(family, spent, successor, sent) {
  const known = family.rotations.get(spent);
  if (known) return known.successor === successor ? null : "has two successors";
  if (!successor || successor === spent || family.rotations.has(successor)) return "has brought none that is new";
  family.rotations.set(spent, { token: spent, successor, sent, at: performance.now() });
  family.refresh = successor;
  return null;
}

/** In the end: what the last rotation has brought it brings again, the newest token works, and so does a repeat of that. */
export async function stands({ send, tally }, family) {
  const what = "in the end: client refresh";
  for (const token of [[...family.rotations.keys()].at(-1), family.refresh, family.refresh]) {
    if (token === undefined) continue;
    const sent = performance.now();
    const answer = await send(what, continuing(token), 200, 400);
    if (answer?.status === 400) throw tally.fail("lost", what, `a refresh token of a client of ${family.id} is refused: ${answer.text.slice(0, 300)}`);
    const fault = answer && follow(family, token, answer.json.refresh_token, sent);
    if (fault) throw tally.fail("doubled", what, `a refresh token of a client of ${family.id} ${fault}`);
  }
}
