// People who connect a client, for the benchmark: signed in through the outbox of development, with a client that the operator answers for.
import { createHash } from "node:crypto";

const VERIFIER = "a-verifier-of-the-benchmark-that-is-long-enough";
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");
const REDIRECT = "https://client.example.com/callback";
/** Sign-ins and authorizations under way at a time. */
const AT_ONCE = 16;

export const CLIENT = {
  client_id: "benchmark",
  client_name: "Benchmark",
  redirect_uris: [REDIRECT],
  grant_types: ["authorization_code", "refresh_token"],
  token_endpoint_auth_method: "none",
  trusted: true,
};

export const exchange = (code) => ({ grant_type: "authorization_code", client_id: CLIENT.client_id, code, code_verifier: VERIFIER, redirect_uri: REDIRECT });
export const refresh = (refresh_token) => ({ grant_type: "refresh_token", client_id: CLIENT.client_id, refresh_token });

async function each(items, work) {
  const results = [];
  const queue = [...items.entries()];
  const lane = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return results;
}

/** A person's browser: what it asks, with its cookies. */
function visitor(origin) {
  const cookies = new Map();
  const ask = async (path, fields) => {
    const answer = await fetch(origin + path, {
      method: fields ? "POST" : "GET",
      redirect: "manual",
      headers: { cookie: [...cookies].map((pair) => pair.join("=")).join("; ") },
      body: fields && new URLSearchParams(fields),
    });
    for (const cookie of answer.headers.getSetCookie()) cookies.set(...cookie.split(";")[0].split("="));
    return answer.text();
  };
  return { ask, cookies };
}

const hidden = (page, name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)[1];

/** A person who has signed in. */
async function signIn(origin, email) {
  const { ask, cookies } = visitor(origin);
  const login = await ask("/login");
  const page = await ask("/login", { csrf: hidden(login, "csrf"), email });
  const mails = await (await fetch(`${origin}/dev/outbox`)).json();
  const mail = mails.find(({ to }) => to === email);
  const code = /\b\d{3} ?\d{3}\b/.exec(mail.text)[0].replace(" ", "");
  await ask("/login/code", { csrf: hidden(page, "csrf"), login: hidden(page, "login"), email, code });
  return { ask, cookie: [...cookies].map((pair) => pair.join("=")).join("; ") };
}

/** Has a person take over the agent with this claim token. */
export async function claim(port, claim_token, email) {
  const origin = `http://localhost:${port}`;
  const { ask } = await signIn(origin, email);
  const body = JSON.stringify({ type: "login_hint", claim_token, login_hint: email });
  const started = await (await fetch(`${origin}/agent/identity/claim`, { method: "POST", headers: { "content-type": "application/json" }, body })).json();
  const { user_code, verification_uri } = started.claim_attempt;
  const page = await ask(new URL(verification_uri).searchParams.get("return_to"));
  const form = Object.fromEntries(["csrf", "claim_attempt_token"].map((name) => [name, hidden(page, name)]));
  const answer = await ask("/agent/identity/claim/complete", { ...form, user_code });
  if (!answer.includes("Approved")) throw new Error("a claim of the preparation was not approved");
}

/** Where a person who has signed in sends the client's request; the answer redirects to the client. */
export const AUTHORIZE = `/oauth2/authorize?${new URLSearchParams({
  response_type: "code", client_id: CLIENT.client_id, redirect_uri: REDIRECT, code_challenge: CHALLENGE, code_challenge_method: "S256", scope: "api.read",
})}`;

/** The code that a redirect brings; null if it brings none. */
export const codeIn = (location) => (location?.startsWith(REDIRECT) ? new URL(location).searchParams.get("code") : null);

/** Lets so many people sign in, and gives the cookies of each. */
export async function signedIn(port, people) {
  const sessions = [];
  // One after the other: the outbox keeps the newest mails only.
  for (let index = 0; index < people; index += 1) sessions.push((await signIn(`http://localhost:${port}`, `person-${index}@example.com`)).cookie);
  return sessions;
}

/** Ends what the person at this browser has connected, if anything: a grant holds 32 sessions, and one more would end another. */
async function disconnect(origin, cookie) {
  const page = await (await fetch(`${origin}/account`, { headers: { cookie } })).text();
  const grant = /name="grant" value="([^"]*)"/.exec(page)?.[1];
  if (!grant) return;
  const body = new URLSearchParams({ csrf: hidden(page, "csrf"), grant });
  const { status } = await fetch(`${origin}/account/clients/revoke`, { method: "POST", redirect: "manual", headers: { cookie }, body });
  if (status !== 303) throw new Error("a client was not disconnected");
}

/** Lets `people` sign in; what it gives ends all that they have connected, and makes so many codes, each of another person in turn. */
export async function connect(port, people) {
  const sessions = await signedIn(port, people);
  const origin = `http://localhost:${port}`;
  return async (count) => {
    await each(sessions, (cookie) => disconnect(origin, cookie));
    return each(Array.from({ length: count }, (_, index) => sessions[index % people]), async (cookie) => {
      const answer = await fetch(origin + AUTHORIZE, { redirect: "manual", headers: { cookie } });
      return codeIn(answer.headers.get("location"));
    });
  };
}
