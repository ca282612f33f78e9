// What survives a restart, and a change of POSTERN_SECRET.
import assert from "node:assert/strict";
import { test } from "node:test";
import { JWT_BEARER, call, exchange, keyToken, register, registerKey, until } from "./support/agent.mjs";
import { bearer, ok, read, refused } from "./support/answers.mjs";
import { OPERATOR_KEY, deploy } from "./support/postern.mjs";

const [OLD, NEW] = ["the-old-secret-of-the-tests-0123456789abcdef", "the-new-secret-of-the-tests-0123456789abcdef"];
const operator = bearer(OPERATOR_KEY);
const kids = async (postern) => (await ok(postern.get("/.well-known/jwks.json"))).keys.map(({ kid }) => kid);
const kidOf = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url")).kid;

async function settled() {
  const postern = await deploy({ vars: { POSTERN_SECRET: OLD } });
  const { identity_assertion: assertion } = await register(postern);
  const { credential: key } = await registerKey(postern);
  const [token, revoked] = [(await exchange(postern, assertion)).access_token, (await keyToken(postern, key)).access_token];
  await read(postern.form("/oauth2/revoke", { token: revoked }));
  return { postern, assertion, key, token, revoked, keys: await kids(postern) };
}

test("a restart loses nothing: keys, registrations, API keys, revocations", async () => {
  const { postern, assertion, key, token, revoked, keys } = await settled();
  try {
    await ok(postern.json("/operator/keys/rotate", "", operator));
    const both = await kids(postern);
    for (let time = 0; time < 2; time += 1) {
      await postern.restart();
      assert.deepEqual(await kids(postern), both);
      assert.equal(both[0], keys[0]);
      assert.deepEqual([await call(postern.issuer, token), await call(postern.issuer, key), await call(postern.issuer, revoked)], [200, 200, 401]);
      for (const { access_token } of [await exchange(postern, assertion), await keyToken(postern, key)]) {
        assert.deepEqual([kidOf(access_token), await call(postern.issuer, access_token)], [keys[0], 200]);
      }
    }
    assert.equal((await read(postern.form("/oauth2/revoke", { token: key }))).status, 200);
    await postern.restart();
    assert.equal(await call(postern.issuer, key), 401);
  } finally {
    await postern.stop();
  }
});

test("with the previous secret at hand a new one changes nothing for anybody", async () => {
  const { postern, assertion, key, token, revoked, keys } = await settled();
  try {
    await postern.restart({ POSTERN_SECRET: NEW, POSTERN_SECRET_PREVIOUS: OLD });
    assert.deepEqual(await kids(postern), keys);
    assert.deepEqual([await call(postern.issuer, token), await call(postern.issuer, key), await call(postern.issuer, revoked)], [200, 200, 401]);
    for (const { access_token } of [await exchange(postern, assertion), await keyToken(postern, key)]) {
      assert.deepEqual([kidOf(access_token), await call(postern.issuer, access_token)], [keys[0], 200]);
    }
    const { credential: newer } = await registerKey(postern);
    assert.equal(await call(postern.issuer, newer), 200);

    // What was made under the new secret needs only that one, once the key that the old one wraps is gone.
    await ok(postern.json("/operator/keys/rotate", "", operator));
    await ok(postern.json("/operator/keys/revoke", { kid: keys[0] }, operator));
    const { KV } = await postern.mf.getBindings("postern");
    await until(async () => !(await KV.get("keyring")).includes(keys[0]));
    await postern.restart({ POSTERN_SECRET_PREVIOUS: null });
    assert.equal(await call(postern.issuer, newer), 200);
    assert.equal(await call(postern.issuer, (await keyToken(postern, newer)).access_token), 200);
    assert.equal(await call(postern.issuer, key), 401);
  } finally {
    await postern.stop();
  }
});

test("without the previous secret old API keys end cleanly, and the operator can replace the key that nothing opens any more", async () => {
  const { postern, assertion, key, token, keys } = await settled();
  try {
    await postern.restart({ POSTERN_SECRET: NEW });
    assert.equal(await call(postern.issuer, key), 401);
    await refused(postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: key }), 401, "invalid_client");
    assert.equal((await read(postern.form("/oauth2/revoke", { token: key }))).status, 200);
    assert.deepEqual(await kids(postern), keys, "what was signed still verifies");
    assert.equal(await call(postern.issuer, token), 200);
    const issued = await read(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion }));
    assert.deepEqual([issued.status, issued.body.error], [503, "temporarily_unavailable"]);
    assert.ok(Number(issued.headers.get("retry-after")) > 0);
    assert.equal(issued.body.access_token, undefined);

    await ok(postern.json("/operator/keys/revoke", { kid: keys[0] }, operator));
    const { identity_assertion } = await register(postern);
    const { access_token } = await exchange(postern, identity_assertion);
    assert.notEqual(kidOf(access_token), keys[0]);
    assert.equal(await call(postern.issuer, access_token), 200);
  } finally {
    await postern.stop();
  }
});
