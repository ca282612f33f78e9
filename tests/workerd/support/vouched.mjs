// An agent that comes with its provider's word.
import assert from "node:assert/strict";
import { JWT_BEARER } from "./agent.mjs";
import { read } from "./answers.mjs";
import { complete, page, poll } from "./claim.mjs";
import { codeOn } from "./person.mjs";

export const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";

const body = (assertion) => ({ type: "identity_assertion", assertion_type: ID_JAG, assertion });

/** Presents an ID-JAG at the identity endpoint; `base` is another isolate. */
export function present(postern, assertion, { base, headers } = {}) {
  if (!base) return read(postern.json("/agent/identity", body(assertion), headers));
  return read(fetch(`${base}/agent/identity`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body(assertion)) }));
}

/** The same at the registration of auth.md v0.1. */
export const presentV01 = (postern, assertion, requested_credential_type, path = "/agent/auth") => read(postern.json(path, { ...body(assertion), requested_credential_type }));

/** The same at the claim endpoint. */
export const claimBy = (postern, claim_token, assertion) => read(postern.json("/agent/identity/claim", { type: "identity_assertion", claim_token, assertion }));

/** The same at the token endpoint. */
export const straight = (postern, assertion, extra = {}) => read(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion, ...extra }));

/** Presents it, and must be let in. */
export async function admitted(postern, assertion, options) {
  const got = await present(postern, assertion, options);
  assert.equal(got.status, 200, got.text);
  return got.body;
}

/** Presents it, and a person must be asked. */
export async function asked(postern, assertion, options) {
  const got = await present(postern, assertion, options);
  assert.deepEqual([got.status, got.body?.error], [401, "interaction_required"], got.text);
  return got.body;
}

/** An answer with this refusal. */
export async function refusedWith(answer, status, error, about = "") {
  const got = await answer;
  assert.deepEqual([got.status, got.body?.error], [status, error], `${about} ${got.text}`);
  return got;
}

/** The person opens the page of the attempt and types the code that the agent shows. */
export async function confirm(person, { verification_uri, user_code }) {
  await person.open(page(verification_uri));
  assert.equal(person.status, 200, person.html);
  await person.submit("/agent/identity/claim/complete", { user_code });
  assert.match(person.html, /Approved/, person.html);
}

/** The person confirms by the typed code, and the agent picks up what it gets. */
export async function confirmTyped(postern, person, step) {
  await confirm(person, step.claim);
  const got = await poll(postern, step.claim_token);
  assert.equal(got.status, 200, got.text);
  return got.body;
}

/** The person confirms and reads a code to the agent, who completes. */
export async function confirmRelay(postern, person, step) {
  await person.open(page(step.claim.attempt.verification_uri));
  await person.submit("/claim/code");
  const done = await complete(postern, step.claim.token, codeOn(person.html));
  assert.equal(done.status, 200, done.text);
  return done.body;
}

/** Pushes a security event; `base` is another isolate. */
export const push = (postern, token, { path = "/agent/event/notify", type = "application/secevent+jwt", base = postern.issuer } = {}) =>
  read(fetch(base + path, { method: "POST", headers: { "content-type": type }, body: token }));

/** The same by auth.md v0.1. */
export const pushV01 = (postern, token, options) => push(postern, token, { path: "/agent/auth/revoke", type: "application/logout+jwt", ...options });

/** The status of the exchange of an assertion of ours. */
export const exchangeable = async (postern, assertion) => (await straight(postern, assertion)).status;
