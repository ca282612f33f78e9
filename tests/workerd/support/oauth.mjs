// A client that a person connects: registration, authorization in a browser without script, code, tokens.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { read } from "./answers.mjs";
import { Browser } from "./person.mjs";

export const REDIRECT = "https://client.example/callback";

/** A verifier and its challenge (RFC 7636). */
export function pkce() {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

/** Registers a client; public unless `metadata` says otherwise. */
export async function register(postern, metadata = {}) {
  const body = {
    client_name: `Client ${randomBytes(4).toString("hex")}`,
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    response_types: ["code"],
    ...metadata,
  };
  const response = await postern.json("/oauth2/register", body);
  const { status, body: answer, text } = await read(response);
  assert.equal(status, 201, text);
  return answer;
}

/** The path of an authorization request; an empty value leaves a parameter out. */
export function authorization(client_id, more = {}, { challenge } = pkce()) {
  const usual = { response_type: "code", client_id, redirect_uri: REDIRECT, code_challenge: challenge, code_challenge_method: "S256", state: "the state" };
  const params = Object.entries({ ...usual, ...more }).filter(([, value]) => value !== "" && value !== null);
  return `/oauth2/authorize?${new URLSearchParams(params)}`;
}

/** What a redirect carries. */
export function carried(browser) {
  const location = browser.headers.get("location");
  assert.ok(location, `${browser.status} ${browser.html}`);
  const url = new URL(location);
  return { to: `${url.origin === "null" ? `${url.protocol}//${url.host}` : url.origin}${url.pathname}`, ...Object.fromEntries(url.searchParams) };
}

/** Asks the person, who answers; what the client is told. */
export async function consented(browser, path, answer = "allow") {
  await browser.send(path);
  // Remembered, or told at once.
  if (browser.status === 302) return carried(browser);
  assert.equal(browser.status, 200, `${browser.status} ${browser.headers.get("location")} ${browser.html.slice(0, 500)}`);
  await browser.submit("/oauth2/authorize/consent", { answer }, { follow: false });
  assert.equal(browser.status, 303, browser.html);
  return carried(browser);
}

/** A person who has signed in. */
export const person = async (postern, email) => new Browser(postern).signIn(email);

/** Exchanges a code. */
export const redeem = (postern, { client_id, client_secret }, code, verifier, more = {}) =>
  postern.form("/oauth2/token", drop({ grant_type: "authorization_code", client_id, client_secret, code, code_verifier: verifier, redirect_uri: REDIRECT, ...more })).then(read);

export const refresh = (postern, { client_id, client_secret }, refresh_token, more = {}) =>
  postern.form("/oauth2/token", drop({ grant_type: "refresh_token", client_id, client_secret, refresh_token, ...more })).then(read);

const drop = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));

/** A code for the client, and its verifier. */
export async function code(postern, browser, client, more = {}) {
  const { verifier, challenge } = pkce();
  const back = await consented(browser, authorization(client.client_id, more, { challenge }));
  assert.ok(back.code, JSON.stringify(back));
  return { code: back.code, verifier };
}

/** A connected client: its tokens. */
export async function connected(postern, browser, client, more = {}) {
  const got = await code(postern, browser, client, more);
  const { status, body, text } = await redeem(postern, client, got.code, got.verifier, more.redirect_uri ? { redirect_uri: more.redirect_uri } : {});
  assert.equal(status, 200, text);
  return body;
}

/** The status that our REST surface answers with. */
export async function call(postern, token, base = postern.issuer) {
  const response = await fetch(`${base}/api/v1/auth/me`, { headers: { authorization: `Bearer ${token}` } });
  await response.arrayBuffer();
  return response.status;
}
