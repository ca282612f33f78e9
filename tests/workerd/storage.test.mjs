// What is kept, for how long, and what is never written down.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { createLocalJWKSet, generateKeyPair, jwtVerify, SignJWT } from "jose";
import { call, claims, exchange, JWT_BEARER, keyToken, register, registerKey, sleep, until } from "./support/agent.mjs";
import { CLAIM } from "./support/claim.mjs";
import { address, deploy, OPERATOR_KEY, RESOURCE_SERVER_KEY, ROUNDS } from "./support/postern.mjs";
import { bytes, records, recordsOf } from "./support/storage.mjs";

/** Records and keys are counted here: traces and the keys of OpenID Connect have tests of their own. */
const PLAIN = { TRACE: "off", OPENID_CONNECT: "off" };

const V01 = { type: "anonymous", requested_credential_type: "api_key" };
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const digits = (count) => Array.from(randomBytes(count), (byte) => DIGITS[byte % 62]).join("");

/** An API key with the right checksum, whatever else is wrong with it. */
function invented(body) {
  let [number, check] = [crc32(body), ""];
  for (let place = 0; place < 6; place += 1) [number, check] = [Math.floor(number / 62), DIGITS[number % 62] + check];
  return body + check;
}

/** All objects of all kinds, by their ids. */
const objectsOf = async ({ mf }) => (await Promise.all(["CELL", "ACCOUNT"].map((kind) => mf.listDurableObjectIds(kind)))).flat().sort();

/** Presents a credential wherever one is taken; what is said of it. */
async function present(postern, credential) {
  const basic = { authorization: `Basic ${Buffer.from(`x:${credential}`).toString("base64")}` };
  const answers = await Promise.all([
    postern.get("/api/v1/auth/me", { authorization: `Bearer ${credential}` }),
    postern.json("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/list" }, { authorization: `Bearer ${credential}` }),
    postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: credential }),
    postern.form("/oauth2/token", { grant_type: "client_credentials" }, basic),
    postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: credential }),
    postern.form("/oauth2/introspect", { token: credential, client_id: "api", client_secret: RESOURCE_SERVER_KEY }),
    postern.form("/oauth2/introspect", { token: "x" }, { authorization: `Bearer ${credential}` }),
    postern.form("/oauth2/revoke", { token: credential }),
    postern.form("/oauth2/revoke", { token: "x" }, basic),
    postern.form("/oauth2/token", { grant_type: CLAIM, claim_token: credential }),
    postern.json("/agent/identity", { type: "refresh", refresh_token: credential }),
    postern.json("/agent/identity/claim", { type: "login_hint", claim_token: credential, login_hint: "ada@example.com" }),
    postern.json("/agent/identity/claim/complete", { claim_token: credential, user_code: "123456" }),
    postern.json("/agent/auth/claim", { claim_token: credential, email: "ada@example.com" }),
    postern.json("/agent/auth/claim/complete", { claim_token: credential, otp: "123456" }),
    postern.json("/agent/auth/claim/attempt/challenge", { claim_attempt_token: credential }),
    postern.get(`/claim?claim_attempt_token=${credential}`),
  ]);
  const said = await Promise.all(answers.map(async (answer) => [answer.status, answer.headers.get("location"), await answer.text()].join(" ")));
  return said.map((text) => text.replaceAll(credential, "it").replace(/(nonce|name="csrf" content)(=")\w+/g, "$1$2"));
}

describe("an invented credential", () => {
  let postern, genuine;
  before(async () => {
    postern = await deploy({ vars: PLAIN });
    genuine = await registerKey(postern);
    await keyToken(postern, genuine.credential);
  });
  after(() => postern.stop());

  test("makes no object, and a genuine registration makes one", async () => {
    const held = genuine.credential.split("_")[1];
    const { privateKey } = await generateKeyPair("ES256");
    const { kid } = (await (await postern.get("/.well-known/jwks.json")).json()).keys[0];
    const signed = (typ, payload) => new SignJWT({ iss: postern.issuer, generation: 0, ...payload }).setProtectedHeader({ alg: "ES256", typ, kid }).setIssuedAt().setExpirationTime("1h").sign(privateKey);
    const unknown = `reg_${digits(22)}`;
    const strangers = [
      ...Array.from({ length: 20 }, () => invented(`postern_${digits(33)}_${digits(43)}`)),
      invented(`postern_${held.slice(0, 22)}${digits(11)}_${digits(43)}`),
      invented(`postern_${digits(22)}${held.slice(22)}_${digits(43)}`),
      `postern_${digits(33)}_${digits(49)}`,
      ...["clm", "cvt", "art"].flatMap((prefix) => [`${prefix}_${held.slice(0, 22)}${digits(11)}_${digits(43)}`, `${prefix}_${digits(22)}${held.slice(22)}_${digits(43)}`, `${prefix}_${held}_${digits(43)}`].map(invented)),
      await signed("at+jwt", { sub: unknown, registration: unknown, client_id: unknown, aud: `${postern.issuer}/mcp`, scope: "api.read", jti: "x" }),
      await signed("agent-identity+jwt", { sub: unknown, aud: postern.issuer, jti: "x" }),
    ];
    const objects = await objectsOf(postern);
    const said = new Set();
    for (const stranger of strangers) said.add(JSON.stringify(await present(postern, stranger)));
    assert.deepEqual(await objectsOf(postern), objects);
    assert.equal(said.size, 1, "and all are told the same");
    await registerKey(postern);
    assert.ok((await objectsOf(postern)).length > objects.length);
  });

  test("that names a registration changes nothing of it, and is told what a stranger is told", async () => {
    const [prefix, place] = genuine.credential.split("_");
    const before = JSON.stringify([...records(postern)]);
    const wrong = await present(postern, invented(`${prefix}_${place}_${digits(43)}`));
    assert.deepEqual(wrong, await present(postern, invented(`postern_${digits(33)}_${digits(43)}`)));
    assert.equal(JSON.stringify([...records(postern)]), before);
    assert.equal(await call(postern.issuer, genuine.credential), 200);
  });

  test("and a registration that the limit refuses leave no record, whatever key they bring", async () => {
    const crowd = { "cf-connecting-ip": address() };
    await Promise.all(Array.from({ length: 5 }, () => registerKey(postern, crowd)));
    const before = records(postern).size;
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => postern.json("/agent/auth", V01, { ...crowd, "idempotency-key": `one-of-many-keys-${index}` })));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([429]));
    assert.equal(records(postern).size, before);
  });
});

test("no secret is stored: not in a record, not in KV, not in a log of either", async () => {
  const POSTERN_SECRET = "the-secret-that-no-disk-may-ever-hold-0123456789";
  const postern = await deploy({ vars: { ...PLAIN,  POSTERN_SECRET } });
  try {
    const idempotency = "an-idempotency-key-is-a-secret-too";
    const { identity_assertion, ...one } = await register(postern, { "idempotency-key": `${idempotency}-1` });
    const { credential, ...other } = await registerKey(postern, { "idempotency-key": idempotency }, { email: "ada@example.com" });
    const tokens = [await exchange(postern, identity_assertion), await keyToken(postern, credential), await keyToken(postern, credential)].map(({ access_token }) => access_token);
    assert.equal(await call(postern.issuer, tokens[0]), 200);
    for (const token of [tokens[0], tokens[1], credential]) await postern.form("/oauth2/revoke", { token });
    await (await fetch(claims(tokens[0]).status.status_list.uri)).text();
    await until(() => recordsOf(postern, "status_list").length > 0);
    const stored = bytes(postern);
    assert.ok(stored.includes("ada@example.com") && recordsOf(postern, "registration").length === 2, "this looks in the right place");
    const directory = await postern.mf.getKVNamespace("KV");
    const { keys } = await directory.list();
    assert.ok(keys.some(({ name }) => name === "keyring"));
    const values = (await Promise.all(keys.map(({ name }) => directory.get(name)))).join("\n");
    for (const secret of [credential, identity_assertion, one.claim_token, other.claim_token, ...tokens, idempotency, POSTERN_SECRET, OPERATOR_KEY, RESOURCE_SERVER_KEY]) {
      const own = secret.split(/^(postern|clm)_/.test(secret) ? "_" : ".").at(-1); // the key of an API key or claim token, the signature of a JWT
      for (const part of [secret, own, ...own.match(/.{20}/g)]) {
        assert.ok(!stored.includes(part), `${part} is on the disk`);
        assert.ok(!values.includes(part), `${part} is in KV`);
      }
    }
    for (const sign of ['"d":', "PRIVATE KEY"]) assert.ok(!stored.includes(sign) && !values.includes(sign), sign);
    // A registration knows its own name, which its owner's account will be told, and says it once; nothing else knows one.
    const named = [...records(postern).values()].map((record) => [record.kind, JSON.stringify(record).match(/reg_[0-9A-Za-z]{22}/g) ?? []]);
    assert.deepEqual(named.flatMap(([, names]) => names).sort(), [one.registration_id, other.registration_id].sort());
    for (const [kind, names] of named) assert.equal(names.length, kind === "registration" ? 1 : 0, kind);
    for (const { registration_id } of [one, other]) {
      const [digits, all] = [registration_id.slice(4), JSON.stringify([...records(postern).values()])];
      assert.equal(all.split(digits).length, 2, "and never without what it is");
      assert.ok(!values.includes(digits));
    }
  } finally {
    await postern.stop();
  }
});

describe("what happens by itself", { concurrency: true }, () => {
  test("an unclaimed registration dies at its time, unasked, and leaves nothing behind", async () => {
    const postern = await deploy({ vars: { ...PLAIN,  UNCLAIMED_REGISTRATION_TTL: "60" } });
    try {
      await registerKey(postern);
      await postern.restart();
      await register(postern);
      const { credential, credential_expires } = await registerKey(postern);
      const { identity_assertion, assertion_expires, registration_expires } = await register(postern);
      assert.ok(assertion_expires <= registration_expires && Date.parse(credential_expires) - Date.now() <= 60_000);
      const { access_token, expires_in } = await exchange(postern, identity_assertion);
      assert.ok(expires_in <= 60);
      assert.equal(recordsOf(postern, "registration").length, 4);
      await sleep(Date.parse(credential_expires) - Date.now() - 1500);
      assert.deepEqual([await call(postern.issuer, credential), await call(postern.issuer, access_token)], [200, 200], "until then all is well");
      await sleep(Math.max(...[credential_expires, registration_expires].map(Date.parse)) - Date.now() + 50);
      assert.deepEqual([await call(postern.issuer, credential), await call(postern.issuer, access_token)], [401, 401]);
      for (const [fields, error] of [[{ grant_type: JWT_BEARER, assertion: identity_assertion }, "invalid_grant"], [{ grant_type: "client_credentials", client_secret: credential }, "invalid_client"]]) assert.equal((await (await postern.form("/oauth2/token", fields)).json()).error, error);
      for (const token of [credential, access_token]) assert.deepEqual(await (await postern.form("/oauth2/introspect", { token, client_id: "api", client_secret: RESOURCE_SERVER_KEY })).json(), { active: false });
      await until(() => recordsOf(postern, "registration").length === 0, 15_000);
    } finally {
      await postern.stop();
    }
  });

  test("a revoked key stays dead even when its registration is forgotten and its Idempotency-Key comes again", async () => {
    const postern = await deploy({ vars: { ...PLAIN,  UNCLAIMED_REGISTRATION_TTL: "60" } });
    try {
      const who = { "cf-connecting-ip": address(), "idempotency-key": "a-key-that-comes-again" };
      const { credential } = await registerKey(postern, who);
      await postern.form("/oauth2/revoke", { token: credential });
      await until(() => recordsOf(postern, "registration").length === 0, 75_000, 500);
      await postern.json("/agent/auth", V01, who);
      assert.equal(await call(postern.issuer, credential), 401);
    } finally {
      await postern.stop();
    }
  });

  test("a restart of workerd between any two steps loses nothing", async () => {
    const postern = await deploy({ vars: PLAIN });
    try {
      const keys = await (await postern.get("/.well-known/jwks.json")).text();
      const then = async (step) => {
        await postern.restart();
        return step();
      };
      const who = { "cf-connecting-ip": address(), "idempotency-key": "a-key-that-outlives-workerd" };
      const first = await then(() => registerKey(postern, who));
      assert.deepEqual(await then(() => registerKey(postern, who)), first);
      const { identity_assertion } = await then(() => register(postern));
      const { access_token } = await then(() => exchange(postern, identity_assertion));
      const { access_token: byKey } = await then(() => keyToken(postern, first.credential));
      for (const token of [access_token, byKey, first.credential]) assert.equal(await then(() => call(postern.issuer, token)), 200);
      await then(() => postern.form("/oauth2/revoke", { token: access_token }));
      assert.equal(await then(() => call(postern.issuer, access_token)), 401);
      await then(() => exchange(postern, identity_assertion));
      await postern.form("/oauth2/revoke", { token: first.credential });
      assert.deepEqual(await then(() => Promise.all([first.credential, byKey].map((token) => call(postern.issuer, token)))), [401, 401]);
      await then(() => postern.form("/oauth2/revoke", { token: identity_assertion }));
      assert.equal((await (await then(() => postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: identity_assertion }))).json()).error, "invalid_grant");
      assert.equal(await then(async () => (await postern.get("/.well-known/jwks.json")).text()), keys);
      const crowd = { "cf-connecting-ip": who["cf-connecting-ip"] };
      assert.equal((await then(() => postern.json("/agent/auth", V01, crowd))).headers.get("ratelimit-remaining"), "3");
      const { uri, idx } = claims(byKey).status.status_list;
      await until(async () => {
        const { lst } = claims(await (await fetch(uri)).text()).status_list;
        const bits = new Uint8Array(await new Response(new Blob([Buffer.from(lst, "base64url")]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
        return (bits[idx >> 3] >> (idx & 7)) & 1;
      }, 60_000, 500);
    } finally {
      await postern.stop();
    }
  });

  test("a hundred parallel first requests, to two isolates, see one key set", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const postern = await deploy({ isolates: 2, vars: PLAIN });
      try {
        const bases = [postern.issuer, await postern.second()];
        const jobs = Array.from({ length: 100 }, async (_, index) => {
          const base = bases[index % 2];
          if (index % 4 < 2) return (await fetch(`${base}/.well-known/jwks.json`)).text();
          const answer = await fetch(`${base}/agent/identity`, { method: "POST", headers: { "content-type": "application/json", "cf-connecting-ip": `10.0.0.${index}` }, body: '{"type":"anonymous"}' });
          return (await answer.json()).identity_assertion;
        });
        const all = await Promise.all(jobs);
        const sets = new Set(all.filter((_, index) => index % 4 < 2));
        assert.equal(sets.size, 1);
        const jwks = JSON.parse([...sets][0]);
        assert.equal(jwks.keys.length, 1);
        const verify = createLocalJWKSet(jwks);
        for (const assertion of all.filter((_, index) => index % 4 >= 2)) await jwtVerify(assertion, verify, { issuer: postern.issuer });
        assert.equal(recordsOf(postern, "keyring").length, 1);
      } finally {
        await postern.stop();
      }
    }
  });
});
