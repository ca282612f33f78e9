// The ceremony of auth.md v0.1: a mailed link, and the code behind it.
import assert from "node:assert/strict";
import { address } from "./postern.mjs";
import { registerKey } from "./agent.mjs";
import { ok, read } from "./answers.mjs";
import { mails } from "./person.mjs";

export const claim = (postern, claim_token, email, headers = {}) => read(postern.json("/agent/auth/claim", { claim_token, email }, headers));
export const challenge = (postern, claim_attempt_token, headers = {}) => read(postern.json("/agent/auth/claim/attempt/challenge", { claim_attempt_token }, headers));
export const finish = (postern, claim_token, otp) => read(postern.json("/agent/auth/claim/complete", { claim_token, otp }));

/** The tokens of the links in the mails to this address, newest first. */
export async function links(postern, email) {
  const all = (await mails(postern, email)).filter(({ links }) => links.some((link) => link.includes("claim_attempt_token=")));
  return all.map(({ links: [link] }) => new URL(link).searchParams.get("claim_attempt_token"));
}

/** Registers in a person's name, whom that sends a mail. */
export function byEmail(postern, assertion, requested_credential_type = "api_key", headers = {}) {
  return read(postern.json("/agent/auth", { type: "identity_assertion", assertion_type: "verified_email", assertion, requested_credential_type }, { "cf-connecting-ip": address(), ...headers }));
}

/** An agent with a key whose person has the link. */
export async function mailed(postern, email) {
  const agent = await registerKey(postern);
  const { status, text, body } = await claim(postern, agent.claim_token, email);
  assert.equal(status, 200, text);
  const [link] = await links(postern, email);
  return { agent, token: agent.claim_token, link, started: body };
}

/** The same, and the person has seen the code. */
export async function shown(postern, email) {
  const agent = await mailed(postern, email);
  const { challenge: otp, type, expires_at } = await ok(postern.json("/agent/auth/claim/attempt/challenge", { claim_attempt_token: agent.link }));
  assert.match(otp, /^\d{6}$/);
  assert.equal(type, "otp");
  return { ...agent, otp, expires_at };
}

/** Another code than this one. */
export const wrong = (code, by = 1) => String((Number(code) + by) % 1_000_000).padStart(6, "0");
