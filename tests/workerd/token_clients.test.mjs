// Who asks for a token with an API key: every way to show it, and one face for all that do not count.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { JWT_BEARER, exchange, keyToken, register, registerKey } from "./support/agent.mjs";
import { basic, bearer, face, ok, read, refused } from "./support/answers.mjs";
import { RESOURCE_SERVER_KEY, deploy } from "./support/postern.mjs";

let postern, other, id, key;
before(async () => {
  [postern, other] = await Promise.all([deploy(), deploy({ vars: { POSTERN_SECRET: "another-secret-of-the-tests-0123456789abcdef" } })]);
  ({ registration_id: id, credential: key } = await registerKey(postern));
});
after(() => Promise.all([postern.stop(), other.stop()]));

const ask = (fields, headers) => postern.form("/oauth2/token", { grant_type: "client_credentials", ...fields }, headers);
const percent = (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
const raw = (text) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

describe("an API key gets a token", () => {
  test("by HTTP Basic, plain or percent-encoded, with its name or without, in any case of the scheme", async () => {
    const ways = [basic(id, key), basic(percent(id), percent(key)), basic(id.replaceAll("_", "%5F"), key.replaceAll("_", "%5f")), basic("", key), basic(id, percent(key))];
    ways.push({ authorization: ways[0].authorization.replace("Basic", "bAsIc") }, { authorization: ways[0].authorization.replace(/=+$/, "") });
    for (const headers of ways) {
      const { token_type, access_token } = await ok(ask({}, headers));
      assert.equal(token_type, "Bearer", headers.authorization);
      assert.equal((await read(postern.get("/api/v1/auth/me", bearer(access_token)))).body.registration_id, id);
    }
  });

  test("by client_secret, with its client_id or without", async () => {
    for (const fields of [{ client_secret: key }, { client_secret: key, client_id: id }, { client_secret: key, client_id: "" }]) assert.ok((await ok(ask(fields))).access_token);
    assert.ok((await ok(ask({ client_id: id }, basic("", key)))).access_token);
    assert.ok((await ok(ask({ client_id: id }, basic(id, key)))).access_token);
  });
});

describe("client authentication fails", () => {
  test("with another client_id than the key's", async () => {
    const { registration_id: another } = await registerKey(postern);
    for (const wrong of [another, "reg_0000000000000000000000", "x", id.toUpperCase()]) {
      await refused(ask({ client_secret: key, client_id: wrong }), 401, "invalid_client", wrong);
      await refused(ask({}, basic(wrong, key)), 401, "invalid_client", wrong);
    }
  });

  test("in two ways at once", async () => {
    for (const fields of [{ client_secret: key }, { client_secret: key, client_id: id }, { client_secret: "x" }]) {
      await refused(ask(fields, basic(id, key)), 400, "invalid_request");
    }
    await refused(ask({ client_secret: key }, bearer(key)), 400, "invalid_request");
    await refused(ask({ client_id: "reg_0000000000000000000000" }, basic(id, key)), 400, "invalid_request");
  });

  test("without a credential, or with a header that says nothing", async () => {
    await refused(ask({}), 401, "invalid_client");
    await refused(ask({ client_id: id }), 401, "invalid_client");
    await refused(ask({ client_secret: "" }), 401, "invalid_client");
    for (const authorization of ["Basic", "Basic !", "Basic bm9jb2xvbg==", "Basic /w==", "Digest x", "Basic a b", "", "Bearer", `Bearer ${key}`, `Basic ${"A".repeat(9000)}`, "Basic \u00e9"]) {
      const got = await read(ask({}, { authorization }));
      assert.equal(got.status, 401, `${authorization.slice(0, 20)}: ${got.text}`);
      assert.equal(got.body.error, "invalid_client");
    }
    for (const text of [":", `${id}:`, `${id}`, `%ff:${key}`, `${id}:%00`]) assert.equal((await read(ask({}, raw(text)))).status, 401, text);
  });

  test("with a credential of another kind", async () => {
    const { identity_assertion } = await register(postern);
    const { access_token } = await exchange(postern, identity_assertion);
    for (const client_secret of [identity_assertion, access_token, RESOURCE_SERVER_KEY]) await refused(ask({ client_secret }), 401, "invalid_client");
    await refused(ask({}, basic("api", RESOURCE_SERVER_KEY)), 401, "invalid_client");
  });
});

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
function checked(body) {
  let number = crc32(body);
  let digits = "";
  for (let place = 0; place < 6; place += 1) [digits, number] = [DIGITS[number % 62] + digits, Math.floor(number / 62)];
  return body + digits;
}

test("an unknown, foreign, revoked, mistyped or half-right key looks the same as any other", async () => {
  const whole = key.slice(0, -6);
  assert.equal(checked(whole), key, "the checksum of the test is that of the product");
  const [prefix, address, tail] = whole.split("_");
  const flipped = (text, index) => text.slice(0, index) + (text[index] === "a" ? "b" : "a") + text.slice(index + 1);
  const gone = (await registerKey(postern)).credential;
  await keyToken(postern, gone);
  await read(postern.form("/oauth2/revoke", { token: gone }));
  const keys = {
    "an invented one": checked(`${prefix}_${"0".repeat(33)}_${"0".repeat(43)}`),
    "of another deployment": (await registerKey(other)).credential,
    revoked: gone,
    "a typing error": flipped(key, key.length - 20),
    "the right address with another key": checked(`${prefix}_${address}_${flipped(tail, 20)}`),
    "the right address with a key that differs in the last digit": checked(`${prefix}_${address}_${flipped(tail, 42)}`),
    "a wrong stamp": checked(`${prefix}_${flipped(address, 30)}_${tail}`),
    "another prefix": checked(`sk_${address}_${tail}`),
    "without its checksum": whole,
    "too long": `${key}${"0".repeat(500)}`,
    garbage: "x",
  };
  const faces = new Map();
  for (const [name, client_secret] of Object.entries(keys)) {
    const post = face(await refused(ask({ client_secret }), 401, "invalid_client", name));
    const header = face(await refused(ask({}, basic("", client_secret)), 401, "invalid_client", name));
    const resource = face(await read(postern.get("/api/v1/auth/me", bearer(client_secret))));
    assert.match(resource, /^401\n/);
    faces.set(name, [post, header, resource].join("\n\n"));
  }
  const [first] = faces.values();
  for (const [name, seen] of faces) assert.equal(seen, first, name);
});

test("a client that authenticates beside its assertion has to do it right (RFC 7523, section 3.1)", async () => {
  const { identity_assertion: assertion, registration_id } = await register(postern);
  const fields = { grant_type: JWT_BEARER, assertion };
  await ok(postern.form("/oauth2/token", fields));
  await ok(postern.form("/oauth2/token", { ...fields, client_id: registration_id }));
  for (const [more, headers] of [[{ client_secret: "wrong" }, {}], [{}, basic(registration_id, "wrong")], [{ client_id: id, client_secret: `${key}0` }, {}]]) {
    await refused(postern.form("/oauth2/token", { ...fields, ...more }, headers), 401, "invalid_client", JSON.stringify([more, headers]));
  }
});
