// An agent's part of the claim ceremony.
import assert from "node:assert/strict";
import { read } from "./answers.mjs";

export const CLAIM = "urn:workos:agent-auth:grant-type:claim";

/** One poll: status and body. */
export async function poll(postern, claim_token, extra = {}) {
  return read(postern.form("/oauth2/token", { grant_type: CLAIM, claim_token, ...extra }));
}

/** Starts an attempt at the newer paths. */
export const start = (postern, body) => read(postern.json("/agent/identity/claim", body));

/** Submits the code that the person has read out. */
export const complete = (postern, claim_token, user_code) => read(postern.json("/agent/identity/claim/complete", { claim_token, user_code }));

/** The page that a verification_uri leads to once somebody has signed in. */
export function page(verification_uri) {
  const back = new URL(verification_uri).searchParams.get("return_to");
  assert.match(back, /^\/claim\?claim_attempt_token=cvt_/);
  return back;
}

/** The token of an attempt's page. */
export const attemptToken = (verification_uri) => new URL(page(verification_uri), "http://x").searchParams.get("claim_attempt_token");
