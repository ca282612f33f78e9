// Answers of the registration paths, and deployments for one test.
import assert from "node:assert/strict";
import { deploy } from "./postern.mjs";

/** Nobody delivers mail, so nobody can sign in and claim anything. */
export const NO_MAIL = { DEV: null, ISSUER: "https://auth.example.com", MAIL: "none" };
export const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";

/** Runs with a deployment of its own, and ends it whatever comes. */
export async function having(vars, run) {
  const one = await deploy({ vars, persist: false });
  try {
    await run(one);
  } finally {
    await one.stop();
  }
}

/** Exactly these members, in any order. */
export const members = (body, ...names) => assert.deepEqual(Object.keys(body).sort(), names.flat().sort());

/** A JSON answer that nobody keeps and every page may read, less its visitor's credentials. */
export async function answered(response, status) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("cache-control"), "no-store");
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  assert.equal(response.headers.get("access-control-allow-credentials"), null);
  assert.equal(response.headers.get("set-cookie"), null);
  return JSON.parse(text);
}

/** A refusal in the shape of auth.md, by a deployment at its own address or at that of NO_MAIL. */
export async function refused(response, status, code) {
  const body = await answered(response, status);
  assert.equal(body.error, code, JSON.stringify(body));
  members(body, "error", "error_description", "error_uri", "hint", "message");
  assert.equal(body.message, body.error_description);
  assert.match(body.error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
  assert.ok(body.hint.length > 10);
  assert.match(body.error_uri, new RegExp(`^(${new URL(response.url).origin}|${NO_MAIL.ISSUER})/auth\\.md#${code}$`));
  return body;
}
