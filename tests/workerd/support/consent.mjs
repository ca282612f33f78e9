// Whole stretches of the claim ceremony, for tests that begin in the middle of it.
import assert from "node:assert/strict";
import { JWT_BEARER, call, register } from "./agent.mjs";
import { basic, bearer, ok, read } from "./answers.mjs";
import { page, poll, start } from "./claim.mjs";
import { Browser, codeOn, forms } from "./person.mjs";
import { OPERATOR_KEY, RESOURCE_SERVER_KEY, address } from "./postern.mjs";

/** A deployment, asked at the worker that is there. */
export function at(base) {
  const json = (path, body, headers = {}) => fetch(base + path, { method: "POST", headers: { "content-type": "application/json", "cf-connecting-ip": address(), ...headers }, body: JSON.stringify(body) });
  const form = (path, fields, headers = {}) => fetch(base + path, { method: "POST", headers, body: new URLSearchParams(fields) });
  return { issuer: base, json, form, get: (path, headers = {}) => fetch(base + path, { headers, redirect: "manual" }) };
}

/** `count` promises at once. */
export const crowd = (count, each) => Promise.all(Array.from({ length: count }, (_, index) => each(index)));

/** Somebody who has signed in. */
export const signedIn = (postern, email) => new Browser(postern).signIn(email);

/** An agent whose person looks at the page with the field for the agent's code. */
export async function typing(postern, email, person) {
  const agent = await register(postern);
  const { status, body, text } = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: email });
  assert.equal(status, 200, text);
  const { user_code, verification_uri } = body.claim_attempt;
  const who = person ? await person.open(page(verification_uri)) : await new Browser(postern).signIn(email, verification_uri);
  assert.ok(forms(who.html)["/agent/identity/claim/complete"], who.html);
  return { agent, id: agent.registration_id, token: agent.claim_token, user_code, verification_uri, person: who };
}

/** An agent that asked in a person's name, whose person looks at the page with the button for a code. */
export async function asking(postern, email, person) {
  const agent = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email }));
  const { verification_uri } = agent.claim.attempt;
  const who = person ? await person.open(page(verification_uri)) : await new Browser(postern).signIn(email, verification_uri);
  assert.ok(forms(who.html)["/claim/code"], who.html);
  return { agent, id: agent.id, token: agent.claim.token, user_code: agent.claim.user_code, verification_uri, person: who };
}

/** The same, and the person sees the code. */
export async function reading(postern, email, person) {
  const asked = await asking(postern, email, person);
  await asked.person.submit("/claim/code");
  const code = codeOn(asked.person.html);
  assert.match(code, /^\d{6}$/, asked.person.html);
  return { ...asked, code };
}

/** A claimed agent, and what it was given at its first poll. */
export async function claimed(postern, email, person) {
  const asked = await typing(postern, email, person);
  await asked.person.submit("/agent/identity/claim/complete", { user_code: asked.user_code });
  assert.match(asked.person.html, /Approved/);
  const { status, body, text } = await poll(postern, asked.token);
  assert.equal(status, 200, text);
  return { ...asked, given: body, text, spare: body.identity.refresh_token.value };
}

/** Sends a form of the page that is open, and leaves the browser as it is: may be done many times at once. */
export async function press(person, action, fields = {}, base = person.base) {
  const hidden = (name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(person.html)?.[1];
  const form = Object.fromEntries(["csrf", "claim_attempt_token"].map((name) => [name, hidden(name)]).filter(([, value]) => value));
  const cookie = [...person.cookies].map((pair) => pair.join("=")).join("; ");
  const headers = { "content-type": "application/x-www-form-urlencoded", origin: "null", "sec-fetch-site": "same-origin", "cf-connecting-ip": person.ip, cookie };
  const body = new URLSearchParams({ ...form, ...fields }).toString();
  return read(fetch(base + action, { method: "POST", headers, body, redirect: "manual" }));
}

export const refresh = (postern, refresh_token) => read(postern.json("/agent/identity", { type: "refresh", refresh_token }));
export const operate = (postern, path, body) => read(postern.json(`/operator/${path}`, body, bearer(OPERATOR_KEY)));
export const trade = (postern, assertion) => read(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion }));
export const introspect = (postern, token) => ok(postern.form("/oauth2/introspect", { token }, basic("api", RESOURCE_SERVER_KEY)));
export const me = (postern, token) => read(postern.get("/api/v1/auth/me", bearer(token)));

/** Nothing that a claimed agent was given works any more, in any of these workers. */
export async function assertDead(posterns, { access_token, identity_assertion, identity }, about = "") {
  for (const postern of posterns) {
    if (access_token) assert.equal(await call(postern.issuer, access_token), 401, `the access token, ${about}`);
    if (access_token) assert.deepEqual(await introspect(postern, access_token), { active: false }, about);
    assert.equal((await trade(postern, identity_assertion ?? identity.assertion)).body.error, "invalid_grant", `the assertion, ${about}`);
    assert.equal((await refresh(postern, identity.refresh_token.value)).body.error, "invalid_refresh_token", `the refresh token, ${about}`);
  }
}
