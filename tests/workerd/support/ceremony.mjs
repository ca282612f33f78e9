// Ceremonies that are under way, for tests that go on from there.
import assert from "node:assert/strict";
import { register } from "./agent.mjs";
import { ok, read } from "./answers.mjs";
import { attemptToken, complete, page, poll, start } from "./claim.mjs";
import { Browser, codeOn } from "./person.mjs";
import { OPERATOR_KEY, address } from "./postern.mjs";

let people = 0;
/** An address that no other test uses. */
export const someone = (name = "ada") => `${name}.${(people += 1)}@example.com`;

/** Another code. */
export const wrong = (code) => String((Number(code) + 1) % 1_000_000).padStart(6, "0");

/** What an attempt gives its agent: codes, the path of the page and its token. */
function opened(attempt) {
  const { user_code, verification_uri } = attempt;
  return { user_code, verification_uri, path: page(verification_uri), view: attemptToken(verification_uri) };
}

/** One more attempt of this agent. */
export async function again(postern, claim_token, email, type = "login_hint") {
  const started = await start(postern, { type, claim_token, login_hint: email });
  assert.equal(started.status, 200, started.text);
  return { started: started.body, ...opened(started.body.claim_attempt) };
}

/** An anonymous agent that asks `email`. */
export async function asking(postern, email = someone(), type = "login_hint") {
  const agent = await register(postern);
  return { email, agent, claim_token: agent.claim_token, ...(await again(postern, agent.claim_token, email, type)) };
}

/** An agent that registers on behalf of `email`; both ways of answering are open. */
export async function onBehalf(postern, email = someone(), headers = {}, fields = {}) {
  const agent = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email, ...fields }, { "cf-connecting-ip": address(), ...headers }));
  return { email, agent, claim_token: agent.claim_token, ...opened(agent.claim) };
}

/** The person of this attempt, signed in, at its page. */
export async function atPage(postern, { email, verification_uri }) {
  const person = await new Browser(postern).signIn(email, verification_uri);
  assert.equal(person.status, 200, person.html);
  assert.match(person.html, /name="claim_attempt_token"/, person.html);
  return person;
}

/** The token of the forms of the page that is open. */
export const csrf = ({ html }) => /name="csrf" (?:content|value)="([^"]+)"/.exec(html)[1];

/** Types a code at the page that is open. */
export const type = (person, user_code) => person.submit("/agent/identity/claim/complete", { user_code });

/** Asks the page that is open for a code. */
export async function reveal(person) {
  await person.submit("/claim/code");
  assert.equal(person.status, 200, person.html);
  const code = codeOn(person.html);
  assert.match(code ?? "", /^\d{6}$/, person.html);
  return code;
}

/** A ceremony up to the moment in which the person has typed the code. */
export async function typed(postern, email = someone()) {
  const ceremony = await asking(postern, email);
  const person = await atPage(postern, ceremony);
  await type(person, ceremony.user_code);
  assert.equal(person.status, 200, person.html);
  return { ...ceremony, person };
}

/** A ceremony to its end, by polling. */
export async function claimed(postern, email = someone()) {
  const ceremony = await typed(postern, email);
  const got = await poll(postern, ceremony.claim_token);
  assert.equal(got.status, 200, got.text);
  return { ...ceremony, got };
}

/** A call of the operator's. */
export const operator = (postern, path, body) => read(postern.json(`/operator/${path}`, body, { authorization: `Bearer ${OPERATOR_KEY}` }));

/** Neither way brings the agent anything, with this code. */
export async function nothingFor(postern, claim_token, code) {
  const polled = await poll(postern, claim_token);
  assert.equal(polled.status, 400, polled.text);
  const completed = await complete(postern, claim_token, code);
  assert.ok(completed.status >= 400, completed.text);
  for (const { text } of [polled, completed]) assert.doesNotMatch(text, /identity_assertion|access_token|"assertion"|credential"/);
}

/** An error of the agent's endpoints, in both dialects' words. */
export async function refusedAgent(answer, status, error, about = "") {
  const got = await read(answer);
  assert.deepEqual([got.status, got.body?.error], [status, error], `${about} ${got.text}`);
  assert.equal(got.body.message, got.body.error_description, about);
  assert.ok(got.body.message.length > 10);
  assert.equal(got.headers.get("content-type"), "application/json");
  assert.equal(got.headers.get("cache-control"), "no-store");
  assert.equal(got.headers.get("set-cookie"), null);
  if (status === 429) {
    assert.ok(Number.isInteger(got.body.retry_after) && got.body.retry_after > 0, got.text);
    assert.equal(got.headers.get("retry-after"), String(got.body.retry_after));
  }
  return got;
}
