// What an answer says, and what a refusal has to look like.
import assert from "node:assert/strict";

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** An answer, read to its end. */
export async function read(answer) {
  const response = await answer;
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: parsed(text) };
}

/** An answer that must be 200, as JSON. */
export async function ok(answer) {
  const { status, body, text } = await read(answer);
  assert.equal(status, 200, text);
  return body;
}

/** A refusal in the shape of RFC 6749, section 5.2. */
export async function refused(answer, status, error, about = "") {
  const got = await read(answer);
  assert.deepEqual([got.status, got.body?.error], [status, error], `${about} ${got.text}`);
  assert.match(got.body.error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
  assert.match(got.body.error_uri, new RegExp(`^https?://[^/]+/auth\\.md#${error}$`));
  assert.ok(got.body.hint.length > 10);
  assert.match(got.headers.get("content-type"), /^application\/json/);
  assert.equal(got.headers.get("cache-control"), "no-store");
  assert.equal(got.headers.get("pragma"), "no-cache");
  if (error === "invalid_client") assert.match(got.headers.get("www-authenticate"), /^Basic realm="[^"]+"$/);
  return got;
}

/** All that a client can see of an answer, less the request's own name and date: an oracle would show here. */
export function face({ status, headers, text }) {
  const shown = [...headers].filter(([name]) => !["x-request-id", "date"].includes(name)).map((pair) => pair.join(": "));
  return [status, ...shown.sort(), text].join("\n");
}

/** `Authorization: Basic` with both parts as they are. */
export const basic = (name, secret) => ({ authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}` });
export const bearer = (token) => ({ authorization: `Bearer ${token}` });
