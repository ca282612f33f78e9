// An agent's steps, for tests that are about something else.
import assert from "node:assert/strict";
import { address } from "./postern.mjs";

export const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";

async function ok(response) {
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

/** Registers with an identity assertion (auth.md 0.7). */
export async function register(postern, headers = {}) {
  return ok(await postern.json("/agent/identity", { type: "anonymous" }, { "cf-connecting-ip": address(), ...headers }));
}

/** Registers with an API key (auth.md 0.1). */
export async function registerKey(postern, headers = {}, extra = {}) {
  return ok(await postern.json("/agent/auth", { type: "anonymous", requested_credential_type: "api_key", ...extra }, { "cf-connecting-ip": address(), ...headers }));
}

/** Exchanges an assertion for an access token. */
export async function exchange(postern, assertion, extra = {}) {
  return ok(await postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion, ...extra }));
}

/** Exchanges an API key for an access token. */
export async function keyToken(postern, client_secret, extra = {}) {
  return ok(await postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret, ...extra }));
}

/** The status of a call to our own API with this credential. */
export async function call(base, token) {
  const response = await fetch(`${base}/api/v1/auth/me`, { headers: { authorization: `Bearer ${token}` } });
  await response.arrayBuffer();
  return response.status;
}

/** The claims of a JWT, unchecked. */
export function claims(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `check` holds; how long it took, in milliseconds. */
export async function until(check, limit = 10_000, every = 50) {
  const began = Date.now();
  for (;;) {
    if (await check()) return Date.now() - began;
    assert.ok(Date.now() - began < limit, `still not so after ${limit} ms: ${check}`);
    await sleep(every);
  }
}
