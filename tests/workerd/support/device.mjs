// Both ends of the device flow (RFC 8628).
import assert from "node:assert/strict";
import { ok, read } from "./answers.mjs";
import { forms } from "./person.mjs";
import { address } from "./postern.mjs";

export const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
export const PATH = "/oauth2/device_authorization";

/** Clients of the operator's, for the setting CLIENTS. */
export const CLIENTS = JSON.stringify([
  { client_id: "television", client_name: "Television", grant_types: [DEVICE, "refresh_token"], token_endpoint_auth_method: "none" },
  { client_id: "projector", client_name: "Projector", grant_types: [DEVICE], token_endpoint_auth_method: "none" },
]);

/** A device that asks for its codes. */
export async function begin(postern, { client_id = "television", fields = {}, headers = {} } = {}) {
  const answer = await ok(postern.form(PATH, { client_id, ...fields }, { "cf-connecting-ip": address(), "user-agent": "tv/1.0", ...headers }));
  return { client_id, ...answer };
}

/** One poll, at this worker. */
export const poll = ({ device_code, client_id }, base, extra = {}) =>
  read(fetch(`${base}/oauth2/token`, { method: "POST", body: new URLSearchParams({ grant_type: DEVICE, device_code, client_id, ...extra }) }));

/** Types a code at the page. */
export async function type(person, user_code) {
  await person.open("/device");
  return person.submit("/device", { user_code });
}

/** The page that says who asks. */
export async function atRequest(person, { user_code }) {
  await type(person, user_code);
  assert.equal(person.status, 200, person.html);
  assert.ok(forms(person.html)["/device/answer"], person.html);
  return person;
}

/** The person answers. */
export async function answer(person, device, said = "allow") {
  await atRequest(person, device);
  await person.submit("/device/answer", { answer: said });
  assert.equal(person.status, 200, person.html);
  assert.match(person.html, said === "allow" ? /<h1>Approved/ : /<h1>Denied/);
  return person;
}
