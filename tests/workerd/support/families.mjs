// A stand-in for the deployment that knows families of refresh tokens and no more, by the rule or with a fault, for what judges it.
import { once } from "node:events";
import { createServer } from "node:http";

const GRACE = 60_000;
/** Of so many answers of the token endpoint one is lost, after what was asked for has been done. */
const LOST = 7;

const payload = (sub) => `e30.${Buffer.from(JSON.stringify({ sub })).toString("base64url")}`;

/** What decides; `fault` is what it does wrong, if anything. */
function rule(fault) {
  const [codes, refreshes, accesses] = [new Map(), new Map(), new Map()];
  let made = 0;

  const mint = (family) => {
    family.tokens.push(`refresh-${(made += 1)}`);
    refreshes.set(family.tokens.at(-1), family);
    return family.tokens.at(-1);
  };
  const issue = (family, refresh_token) => {
    const access_token = `${payload(family.person)}.${(made += 1)}`;
    accesses.set(access_token, family);
    return { access_token, refresh_token };
  };
  const end = (family) => {
    for (const other of fault === "ends siblings" ? refreshes.values() : [family]) if (other.person === family.person) other.ended = true;
    return null;
  };

  function redeem(code) {
    const known = codes.get(code);
    if (known.family) return end(known.family);
    known.family = { person: known.person, tokens: [], spent: [], ended: false };
    return issue(known.family, mint(known.family));
  }

  function refresh(token) {
    const family = refreshes.get(token);
    if (!family || (family.ended && fault !== "revives")) return null;
    const [number, newest] = [family.tokens.indexOf(token), family.tokens.length - 1];
    if (number === newest) {
      // As if a process were gone before it has written.
      if (fault === "forgets" && number % 3 === 2) return issue(family, `refresh-${(made += 1)}`);
      family.spent.push(performance.now());
      return issue(family, mint(family));
    }
    const over = number + 1 < newest && performance.now() - family.spent[number] >= GRACE;
    if ((over && fault !== "takes spent ones for ever") || fault === "knows no grace") return end(family);
    return issue(family, fault === "doubles" ? `refresh-${(made += 1)}` : family.tokens[number + 1]);
  }

  return {
    code(person) {
      codes.set(`code-${(made += 1)}`, { person });
      return `code-${made}`;
    },
    token: (fields) => (fields.get("code") ? redeem(fields.get("code")) : refresh(fields.get("refresh_token"))),
    revoke: (token) => refreshes.has(token) && end(refreshes.get(token)),
    whose: (token) => (accesses.has(token) && !accesses.get(token).ended ? accesses.get(token).person : null),
  };
}

/** Starts it. Each lost answer counts as another life of its process. */
export async function standIn(fault) {
  const decide = rule(fault);
  const state = { port: 0, life: 1, began: 0, away: false, up: Promise.resolve(), close: () => server.closeAllConnections() || server.close() };
  let answers = 0;

  const server = createServer(async (asked, answer) => {
    const chunks = [];
    for await (const chunk of asked) chunks.push(chunk);
    const fields = new URLSearchParams(Buffer.concat(chunks).toString());
    const say = (status, body, headers = {}) => answer.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
    const { pathname, searchParams } = new URL(asked.url, "http://localhost");
    if (pathname === "/oauth2/authorize") return say(302, {}, { Location: `${searchParams.get("redirect_uri")}?code=${decide.code(asked.headers.cookie)}` });
    if (pathname === "/oauth2/introspect") return say(200, { active: decide.whose(fields.get("token")) !== null });
    if (pathname === "/api/v1/auth/me") return decide.whose(asked.headers.authorization.slice("Bearer ".length)) ? say(200, {}) : say(401, { error: "invalid_token" });
    if (pathname === "/oauth2/revoke") return decide.revoke(fields.get("token")), say(200, {});
    const issued = decide.token(fields);
    if ((answers += 1) % LOST === 0) return (state.life += 1), asked.socket.destroy();
    return issued ? say(200, issued) : say(400, { error: "invalid_grant" });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  state.port = server.address().port;
  return state;
}
