// The signing keys: what is published, how the operator turns them over, and how soon a revoked one is dead.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { calculateJwkThumbprint, createLocalJWKSet, jwtVerify } from "jose";
import { call, exchange, register, sleep, until } from "./support/agent.mjs";
import { bearer, face, ok, read, refused } from "./support/answers.mjs";
import { OPERATOR_KEY, RESOURCE_SERVER_KEY, ROUNDS, deploy } from "./support/postern.mjs";

/** Records and keys are counted here: traces and the keys of OpenID Connect have tests of their own. */
const PLAIN = { TRACE: "off", OPENID_CONNECT: "off" };

const operator = bearer(OPERATOR_KEY);
const jwks = (postern, base = postern.issuer) => ok(fetch(`${base}/.well-known/jwks.json`));
const kids = async (postern, base) => (await jwks(postern, base)).keys.map(({ kid }) => kid);
const rotate = (postern) => ok(postern.json("/operator/keys/rotate", "", operator));
const revoke = (postern, kid) => ok(postern.json("/operator/keys/revoke", { kid }, operator));
const kidOf = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url")).kid;

async function agent(postern) {
  const { identity_assertion } = await register(postern);
  return async () => (await exchange(postern, identity_assertion)).access_token;
}

describe("what is published", () => {
  let postern;
  before(async () => (postern = await deploy({ isolates: 2, vars: PLAIN })));
  after(() => postern.stop());

  test("a hundred first requests at once, to two isolates, see one key set", async () => {
    for (let round = 0; round < Math.ceil(ROUNDS / 5); round += 1) {
      const fresh = await deploy({ isolates: 2, vars: PLAIN });
      const second = await fresh.second();
      const seen = await Promise.all(Array.from({ length: 100 }, (_, index) => jwks(fresh, index % 2 ? second : fresh.issuer)));
      assert.equal(new Set(seen.map((set) => JSON.stringify(set))).size, 1);
      assert.equal(seen[0].keys.length, 1);
      await fresh.stop();
    }
  });

  test("a key is public, for ES256 signatures, and named by its RFC 7638 thumbprint", async () => {
    await rotate(postern);
    const { keys } = await jwks(postern);
    assert.equal(keys.length, 2);
    for (const key of keys) {
      const { kid, x, y, ...rest } = key;
      assert.deepEqual(rest, { kty: "EC", crv: "P-256", use: "sig", alg: "ES256" }, "and not a member more: no private part");
      assert.match(x + y, /^[\w-]{86}$/);
      assert.equal(kid, await calculateJwkThumbprint(key, "sha256"));
    }
  });

  test("tokens and assertions verify with the published keys alone", async () => {
    const set = createLocalJWKSet(await jwks(postern));
    const { identity_assertion } = await register(postern);
    const { access_token } = await exchange(postern, identity_assertion);
    await jwtVerify(access_token, set, { issuer: postern.issuer, audience: `${postern.issuer}/mcp`, typ: "at+jwt", algorithms: ["ES256"] });
    await jwtVerify(identity_assertion, set, { issuer: postern.issuer, audience: postern.issuer, typ: "agent-identity+jwt" });
  });
});

describe("the operator", () => {
  let postern, closed;
  before(async () => ([postern, closed] = await Promise.all([deploy({ vars: PLAIN }), deploy({ vars: { ...PLAIN,  OPERATOR_KEY: null } })])));
  after(() => Promise.all([postern.stop(), closed.stop()]));

  const ENDPOINTS = { "/operator/keys": "GET", "/operator/keys/rotate": "POST", "/operator/keys/revoke": "POST" };

  test("is whoever holds the key; a wrong key, none, and a deployment without one look the same", async () => {
    const token = await (await agent(postern))();
    const { keys } = await jwks(postern);
    const wrong = [{}, bearer("x"), bearer(`${OPERATOR_KEY}0`), bearer(OPERATOR_KEY.slice(1)), bearer(RESOURCE_SERVER_KEY), bearer(token), { authorization: OPERATOR_KEY }, { authorization: `Basic ${btoa(`:${OPERATOR_KEY}`)}` }];
    const faces = new Set();
    const seen = (answer) => faces.add(face(answer).replaceAll(closed.issuer, postern.issuer));
    for (const [path, method] of Object.entries(ENDPOINTS)) {
      const ask = (base, headers) => fetch(base + path, { method, headers: { "content-type": "application/json", ...headers }, ...(method === "POST" ? { body: JSON.stringify({ kid: keys[0].kid }) } : {}) });
      for (const headers of wrong) seen(await refused(ask(postern.issuer, headers), 401, "unauthorized", path));
      for (const headers of [{}, operator, bearer("")]) seen(await refused(ask(closed.issuer, headers), 401, "unauthorized", path));
    }
    assert.equal(faces.size, 1);
    assert.deepEqual((await jwks(postern)).keys, keys, "nothing has changed");
  });

  test("publishes the next key ten minutes before it signs, and a second time publishes no third", async () => {
    const token = await agent(postern);
    const [signing] = await kids(postern);
    const asked = Date.now();
    const { keys } = await rotate(postern);
    assert.deepEqual(keys.map(({ state }) => state), ["signing", "next"]);
    for (const key of keys) assert.deepEqual(Object.keys(key).sort(), ["alg", "kid", "signs_from", "state", "verifies_until"], "and no wrapped key");
    assert.ok(Math.abs(Date.parse(keys[1].signs_from) - asked - 600_000) < 5000, keys[1].signs_from);
    assert.deepEqual(await kids(postern), [signing, keys[1].kid]);
    assert.equal(kidOf(await token()), signing, "the next key does not sign yet");
    assert.ok(Date.parse(keys[0].verifies_until) >= Date.parse(keys[1].signs_from) + 86_400_000, "the last key outlives its tokens");
    assert.deepEqual((await rotate(postern)).keys, keys);
    assert.deepEqual((await ok(postern.get("/operator/keys", operator))).keys, keys);
  });

  const next = async () => (await rotate(postern)).keys.find(({ state }) => state === "next").kid;

  test("revokes the key that waits, and the one that signs goes on as before", async () => {
    const token = await agent(postern);
    const before = await token();
    const waiting = await next();
    const { keys } = await revoke(postern, waiting);
    assert.deepEqual(keys.filter(({ state }) => state !== "verifying").map(({ kid, state, verifies_until }) => [kid, state, verifies_until]), [[kidOf(before), "signing", null]]);
    assert.ok(!(await kids(postern)).includes(waiting));
    assert.deepEqual([await call(postern.issuer, before), kidOf(await token())], [200, kidOf(before)]);
  });

  test("revokes the key that signs, and the one that waits takes over at once", async () => {
    const token = await agent(postern);
    const old = await token();
    const waiting = await next();
    const { keys } = await revoke(postern, kidOf(old));
    assert.deepEqual(keys.filter(({ state }) => state !== "verifying").map(({ kid, state }) => [kid, state]), [[waiting, "signing"]]);
    assert.ok(!keys.some(({ kid }) => kid === kidOf(old)));
    await assert.rejects(token, "the assertion was signed by the same key and dies with it");
    assert.equal(await call(postern.issuer, old), 401);
    const again = await (await agent(postern))();
    assert.deepEqual([kidOf(again), await call(postern.issuer, again)], [waiting, 200]);
  });

  test("is told what is wrong with a revocation", async () => {
    await refused(postern.json("/operator/keys/revoke", { kid: "x".repeat(43) }, operator), 404, "not_found");
    for (const body of ["", "{", "[]", "{}", '{"kid":1}', '{"kid":"a","kid":"b"}']) await refused(postern.json("/operator/keys/revoke", body, operator), 400, "invalid_request", body);
    await refused(postern.form("/operator/keys/revoke", { kid: "x" }, operator), 415, "unsupported_media_type");
    assert.equal((await read(postern.get("/operator/keys/rotate", operator))).status, 405);
  });
});

describe("a revoked signing key", { concurrency: true }, () => {
  test("is dead at once where it was revoked and within 60 s everywhere, and what the new one signs counts", async (t) => {
    const postern = await deploy({ isolates: 2, vars: PLAIN });
    const second = await postern.second();
    try {
      const old = await (await agent(postern))();
      assert.deepEqual([await call(postern.issuer, old), await call(second, old)], [200, 200]);
      await revoke(postern, kidOf(old));
      const answered = Date.now();
      assert.equal(await call(postern.issuer, old), 401);
      assert.deepEqual((await kids(postern)).includes(kidOf(old)), false);
      const fresh = await (await agent(postern))();
      assert.notEqual(kidOf(fresh), kidOf(old));
      assert.equal(await call(postern.issuer, fresh), 200);
      const met = until(async () => (await call(second, fresh)) === 200, 60_000, 100).then(() => Date.now() - answered);
      await until(async () => (await call(second, old)) === 401, 60_000, 100);
      const died = Date.now() - answered;
      assert.ok(!(await kids(postern, second)).includes(kidOf(old)));
      const known = await met;
      t.diagnostic(`a revoked signing key was dead in another isolate ${died} ms after the answer; what its successor signs was accepted there after ${known} ms`);
      assert.ok(died <= 60_000);
      assert.ok(known <= 2000, `a good token was refused for ${known} ms in the other isolate`);
    } finally {
      await postern.stop();
    }
  });

  test("does not come back when the directory lags behind", async () => {
    const postern = await deploy({ vars: PLAIN });
    try {
      const { KV } = await postern.mf.getBindings("postern");
      const old = await (await agent(postern))();
      let before;
      await until(async () => (before = await KV.get("keyring")) !== null);
      await revoke(postern, kidOf(old));
      await until(async () => (await KV.get("keyring")) !== before);
      await KV.put("keyring", before);
      const token = await agent(postern);
      for (const end = Date.now() + 24_000; Date.now() < end; await sleep(500)) {
        assert.equal(await call(postern.issuer, old), 401, "the revoked key verifies again");
        assert.notEqual(kidOf(await token()), kidOf(old), "the revoked key signs again");
      }
    } finally {
      await postern.stop();
    }
  });
});
