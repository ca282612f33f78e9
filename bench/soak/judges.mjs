// What operations have in common: how answers are judged, and what is left to chance.

/** `wrong` notes a failure; the others are said below. */
export function judges({ send, tally, chance }) {
  const wrong = (kind, what, detail) => tally.fail(kind, what, detail);
  const seldom = (share) => chance() < share;

  /** How an agent is refused that has ended; 422 is the answer to the request that it came with. */
  const REFUSED = [400, 401, 422];

  /** Reads about an agent, and judges the answer unless the agent was changed meanwhile: then a refusal may be right, too. */
  async function reading(agent, what, request, status, judge) {
    const seen = agent.version;
    const answer = await send(what, request, status, ...REFUSED);
    if (agent.version !== seen) tally.unjudged += 1;
    else if (answer && answer.status !== status) wrong("lost", what, `${agent.id} is refused: ${answer.status} ${answer.text.slice(0, 300)}`);
    else if (answer) judge(answer);
  }

  /** The same request, once or twice at the same time; the answers that are there. */
  const perhapsTwice = async (share, ask) => (await Promise.all(Array.from({ length: seldom(share) ? 2 : 1 }, ask))).filter(Boolean);

  return { wrong, seldom, reading, perhapsTwice };
}
