// Introspection (RFC 7662): a resource server learns about every token, a holder about its own, nobody else anything.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { claims, exchange, keyToken, register, registerKey } from "./support/agent.mjs";
import { basic, bearer, face, ok, read, refused } from "./support/answers.mjs";
import { altered, ownKey } from "./support/forge.mjs";
import { OPERATOR_KEY, RESOURCE_SERVER_KEY, deploy } from "./support/postern.mjs";

const SHOP = "https://shop.example/v1";
const NOT = '{"active":false}';
let postern, other, mine, keyed;
before(async () => {
  [postern, other] = await Promise.all([deploy({ vars: { RESOURCES: JSON.stringify([{ uri: SHOP }]), API_KEY_TTL: "7200" } }), deploy()]);
  mine = await register(postern);
  mine.token = (await exchange(postern, mine.identity_assertion, { resource: SHOP })).access_token;
  keyed = await registerKey(postern);
  keyed.token = (await keyToken(postern, keyed.credential)).access_token;
});
after(() => Promise.all([postern.stop(), other.stop()]));

const ask = (token, headers, fields = {}) => postern.form("/oauth2/introspect", { ...(token === undefined ? {} : { token }), ...fields }, headers);
const server = basic("api", RESOURCE_SERVER_KEY);

describe("a resource server", () => {
  test("learns about an access token exactly what is in it", async () => {
    const { iss, sub, aud, client_id, jti, iat, exp, scope } = claims(mine.token);
    const expected = { active: true, token_type: "Bearer", token_use: "access_token", iss, sub, aud, client_id, jti, iat, exp, scope };
    for (const answer of [ask(mine.token, server), ask(mine.token, {}, { client_id: "api", client_secret: RESOURCE_SERVER_KEY }), ask(mine.token, server, { token_type_hint: "refresh_token" })]) {
      const { status, body, headers } = await read(answer);
      assert.equal(status, 200);
      assert.deepEqual(body, expected);
      assert.equal(headers.get("cache-control"), "no-store");
      assert.match(headers.get("content-type"), /^application\/json/);
    }
    assert.equal(aud, SHOP);
    assert.ok(Number.isInteger(exp) && exp > Date.now() / 1000);
  });

  test("learns about an API key whose it is, what it may do and when it ends", async () => {
    const { iat, exp, aud, ...body } = await ok(ask(keyed.credential, server));
    for (const path of ["/mcp", "/api/v1"]) assert.ok(aud.includes(postern.issuer + path), "an API key is for every resource");
    assert.deepEqual(body, { active: true, token_type: "Bearer", token_use: "api_key", iss: postern.issuer, sub: keyed.registration_id, client_id: keyed.registration_id, scope: "api.read" });
    assert.equal(exp, Math.floor(Date.parse(keyed.credential_expires) / 1000));
    assert.ok(exp - iat > 7190 && exp - iat <= 7200);
  });

  test("with a wrong name or key is no client, and all wrong ones look the same", async () => {
    const wrong = [basic("api", "wrong"), basic("other", RESOURCE_SERVER_KEY), basic("", RESOURCE_SERVER_KEY), basic("API", RESOURCE_SERVER_KEY), bearer(RESOURCE_SERVER_KEY), basic("api", OPERATOR_KEY), bearer(OPERATOR_KEY)];
    const faces = new Set();
    for (const headers of wrong) faces.add(face(await refused(ask(mine.token, headers), 401, "invalid_client", JSON.stringify(headers))));
    for (const fields of [{}, { client_secret: RESOURCE_SERVER_KEY }, { client_id: "api", client_secret: "wrong" }, { client_id: "api" }]) faces.add(face(await refused(ask(mine.token, {}, fields), 401, "invalid_client")));
    for (const presented of ["x", keyed.credential]) faces.add(face(await refused(ask(presented, basic("api", "wrong")), 401, "invalid_client")));
    assert.equal(faces.size, 1);
  });

  test("may ask and nothing else", async () => {
    await refused(postern.form("/oauth2/token", { grant_type: "client_credentials" }, server), 401, "invalid_client");
    await refused(postern.form("/oauth2/revoke", { token: mine.token }, server), 401, "invalid_client");
    assert.equal((await read(postern.get("/operator/keys", bearer(RESOURCE_SERVER_KEY)))).status, 401);
    assert.equal((await read(postern.get("/api/v1/auth/me", bearer(RESOURCE_SERVER_KEY)))).status, 401);
    assert.equal((await ok(ask(mine.token, server))).active, true);
  });
});

describe("a holder", () => {
  test("learns about the credentials of its own registration, by any way to show one", async () => {
    const ways = [bearer(keyed.token), bearer(keyed.credential), basic(keyed.registration_id, keyed.credential), basic("", keyed.credential)];
    const sibling = (await keyToken(postern, keyed.credential)).access_token;
    for (const headers of ways) {
      for (const token of [keyed.token, sibling, keyed.credential]) {
        const { active, sub } = await ok(ask(token, headers));
        assert.deepEqual([active, sub], [true, keyed.registration_id]);
      }
    }
    assert.equal((await ok(ask(keyed.token, {}, { client_secret: keyed.credential }))).active, true);
    assert.equal((await ok(ask(mine.token, bearer(mine.token)))).active, true);
  });

  test("learns nothing about anybody else's", async () => {
    for (const [token, headers] of [[mine.token, bearer(keyed.token)], [mine.token, basic("", keyed.credential)], [keyed.credential, bearer(mine.token)], [keyed.token, bearer(mine.token)]]) {
      const { status, text } = await read(ask(token, headers));
      assert.deepEqual([status, text], [200, NOT]);
    }
  });

  test("must be who it says, and must still count", async () => {
    await refused(ask(keyed.token, basic(mine.registration_id, keyed.credential)), 401, "invalid_client");
    await refused(ask(keyed.token, {}, { client_id: mine.registration_id, client_secret: keyed.credential }), 401, "invalid_client");
    await refused(ask(keyed.token, basic(keyed.registration_id, keyed.credential), { client_secret: keyed.credential }), 400, "invalid_request");
    await refused(ask(mine.token, bearer(mine.identity_assertion)), 401, "invalid_client");
    const { credential } = await registerKey(postern);
    assert.equal((await ok(ask(credential, bearer(credential)))).active, true);
    await read(postern.form("/oauth2/revoke", { token: credential }));
    await refused(ask(credential, bearer(credential)), 401, "invalid_client");
  });
});

test("whatever does not count is not active, and not a word more", async () => {
  const own = await ownKey(postern);
  const forged = (changes) => altered(mine.token, changes, own.seal);
  const { access_token: gone } = await exchange(postern, mine.identity_assertion);
  await read(postern.form("/oauth2/revoke", { token: gone }));
  const now = Math.floor(Date.now() / 1000);
  assert.equal((await ok(ask(forged({ claims: { extra: 1 } }), server))).active, true, "the forger can forge");
  const dead = {
    revoked: gone,
    expired: forged({ claims: { exp: now - 1 } }),
    "not yet": forged({ claims: { nbf: now + 60 } }),
    "of an older generation": forged({ claims: { generation: 7 } }),
    "of another issuer": forged({ claims: { iss: other.issuer } }),
    "of another deployment": (await exchange(other, (await register(other)).identity_assertion)).access_token,
    "of another type": forged({ header: { typ: "JWT" } }),
    "of a registration that never was": forged({ claims: { registration: "reg_0000000000000000000000" } }),
    unsigned: altered(mine.token, { header: { alg: "none" } }, () => ""),
    "an assertion": mine.identity_assertion,
    "another deployment's key": (await registerKey(other)).credential,
    garbage: "x",
    dots: "..",
    long: "x".repeat(30_000),
  };
  const faces = new Set();
  for (const [name, token] of Object.entries(dead)) {
    const got = await read(ask(token, server));
    assert.deepEqual([got.status, got.text], [200, NOT], name);
    faces.add(face(got));
  }
  assert.equal(faces.size, 1);
});

test("the request is a form with one token", async () => {
  await refused(ask(undefined, server), 400, "invalid_request");
  await refused(ask("", server), 400, "invalid_request");
  await refused(postern.json("/oauth2/introspect", { token: mine.token }, server), 415, "unsupported_media_type");
  await refused(fetch(`${postern.issuer}/oauth2/introspect`, { method: "POST", headers: { ...server, "content-type": "application/x-www-form-urlencoded" }, body: "token=a&token=b" }), 400, "invalid_request");
  await refused(fetch(`${postern.issuer}/oauth2/introspect?token=${mine.token}`, { method: "POST", headers: { ...server, "content-type": "application/x-www-form-urlencoded" } }), 400, "invalid_request");
  assert.equal((await read(postern.get(`/oauth2/introspect?token=${mine.token}`, server))).status, 405);
});
