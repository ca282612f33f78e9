// Clients of people: a person lets one in, and it goes on with refresh tokens that are each used once, until it is revoked.
import { codeIn, signedIn } from "../targets/connected.mjs";
import { authorizing, byCode, continuing, disconnecting } from "./asks.mjs";
import { Failed } from "./client.mjs";
import { GRACE, TOO_LATE, follow, isOver, mayBeOver, newFamily } from "./family.mjs";

/** People who have signed in before the run begins: so many that their grants are changed at the same time. */
const PEOPLE = 32;
/** A grant keeps 32 families and ends the one that was not used for longest; this is far below. */
const FAMILIES_OF_ONE = 12;
/** So much younger than the grace a rotation is when its token is repeated, that the repeat comes in time unless a restart holds it up. */
const SOON = GRACE / 2;

/** Whom an access token is about. */
const whom = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url")).sub;

/** The operations with their weights, and `begin`, which lets everybody sign in on this port and let one client in. */
export function families({ send, ledger }, { wrong, seldom, perhapsTwice }) {
  const about = (family) => `a refresh token of a client of ${family.id}`;

  /** What a token has brought is written down, or is a failure; so is a refusal. */
  function brought(family, what, spent, sent, { status, json: body, text }) {
    if (status !== 200) throw wrong("lost", what, `${about(family)} is refused: ${text.slice(0, 300)}`);
    const fault = follow(family, spent, body.refresh_token, sent);
    if (fault) throw wrong("doubled", what, `${about(family)} ${fault}`);
    ledger.token(family, body.access_token, family);
  }

  async function admit(person) {
    person.families += 1;
    const answer = await send("authorize", authorizing(person.cookie), 302, 303);
    const code = answer && codeIn(answer.headers.location);
    if (answer && !code) throw wrong("lost", "authorize", `a person who has signed in is sent to ${answer.headers.location} and not to the client`);
    const tokens = code && (await send("exchange code", byCode(code), 200, 400));
    // A code that comes again ends what it has brought, so a lost answer is lost with its tokens.
    if (tokens?.status === 400 && !tokens.unsure) throw wrong("lost", "exchange code", `a new code is refused: ${tokens.text.slice(0, 300)}`);
    if (tokens?.status !== 200) {
      person.families -= 1;
      return true;
    }
    const { access_token, refresh_token } = tokens.json;
    const family = newFamily(person, whom(access_token), refresh_token);
    ledger.families.push(family);
    ledger.token(family, access_token, family);
    return true;
  }

  async function begin(port) {
    ledger.people.push(...(await signedIn(port, PEOPLE)).map((cookie) => ({ cookie, families: 0 })));
    const noted = (error) => {
      if (!(error instanceof Failed)) throw error;
    };
    await Promise.all(ledger.people.map((person) => admit(person).catch(noted)));
  }

  async function connect() {
    const person = ledger.some(ledger.people, ({ families: count }) => count < FAMILIES_OF_ONE);
    return person ? admit(person) : false;
  }

  async function refresh() {
    const family = ledger.family();
    if (!family) return false;
    return ledger.change(family, async () => {
      const [spent, sent] = [family.refresh, performance.now()];
      const ask = (what) => send(what, continuing(spent), 200, 400);
      const answers = await perhapsTwice(0.25, () => ask("client refresh"));
      for (const answer of answers) brought(family, "client refresh", spent, sent, answer);
      const again = answers.length && seldom(0.15) ? await ask("client refresh again") : null;
      if (again) brought(family, "client refresh again", spent, sent, again);
      return true;
    });
  }

  /** A token that was spent just now, perhaps by a process that is gone and perhaps several rotations ago, is presented again. */
  async function repeat() {
    const recent = ({ rotations }) => [...rotations.values()].slice(-4).filter(({ sent }) => performance.now() - sent < SOON);
    const family = ledger.family((one) => recent(one).length > 0);
    if (!family) return false;
    return ledger.change(family, async () => {
      const rotation = ledger.pick(recent(family));
      const answer = await send("client refresh repeated", continuing(rotation.token), 200, 400);
      // A restart may have held it up until it was too late.
      if (answer?.status === 400 && mayBeOver(family, rotation)) ledger.endFamily(family, "a spent refresh token came late");
      else if (answer) brought(family, "client refresh repeated", rotation.token, rotation.sent, answer);
      return true;
    });
  }

  /** A token that was spent long ago: somebody else has it too, and the family ends. */
  async function replay() {
    const late = (one) => [...one.rotations.values()].find((rotation) => isOver(one, rotation, TOO_LATE));
    const family = ledger.family(late);
    if (!family) return false;
    return ledger.change(family, async () => {
      if (await send("client refresh too late", continuing(late(family).token), 400)) ledger.endFamily(family, "a spent refresh token was presented");
      return true;
    });
  }

  /** By the newest token or by one that it came from. */
  async function revoke() {
    const family = ledger.family();
    if (!family) return false;
    return ledger.change(family, async () => {
      const spent = seldom(0.3) ? ledger.pick([...family.rotations.keys()]) : undefined;
      if (await send("revoke client", disconnecting(spent ?? family.refresh), 200)) ledger.endFamily(family, "revoked");
      return true;
    });
  }

  const mix = [
    ["connect a client", connect, 1.5],
    ["client refresh", refresh, 9],
    ["client refresh repeated", repeat, 2.5],
    ["client refresh too late", replay, 0.3],
    ["revoke client", revoke, 1.2],
  ];
  return { mix, begin };
}
