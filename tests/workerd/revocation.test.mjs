// Revocation (RFC 7009): what it ends, what it leaves alone, and how soon it is felt everywhere.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { JWT_BEARER, call, claims, exchange, keyToken, register, registerKey, sleep } from "./support/agent.mjs";
import { basic, bearer, face, ok, read, refused } from "./support/answers.mjs";
import { altered, es256, stranger } from "./support/forge.mjs";
import { RESOURCE_SERVER_KEY, ROUNDS, deploy } from "./support/postern.mjs";

let postern;
before(async () => (postern = await deploy({ isolates: 2 })));
after(() => postern.stop());

const revoke = (fields, headers) => postern.form("/oauth2/revoke", fields, headers);
const status = (token) => call(postern.issuer, token);
const introspect = async (token) => (await ok(postern.form("/oauth2/introspect", { token }, basic("api", RESOURCE_SERVER_KEY)))).active;

/** 200 and nothing else: what was ended, and whether, is not told. */
async function done(answer) {
  const got = await read(answer);
  assert.deepEqual([got.status, got.text], [200, ""]);
  return got;
}

async function agent() {
  const { identity_assertion: assertion, registration_id: id } = await register(postern);
  const token = async () => (await exchange(postern, assertion)).access_token;
  return { assertion, id, token };
}

async function keyed() {
  const { credential: key, registration_id: id } = await registerKey(postern);
  return { key, id, token: async () => (await keyToken(postern, key)).access_token };
}

describe("the request", () => {
  test("any hint will do, a wrong one too", async () => {
    const { token } = await agent();
    for (const token_type_hint of ["access_token", "refresh_token", "api_key", "\u2603", "", undefined]) {
      const presented = await token();
      assert.equal(await status(presented), 200);
      await done(revoke(token_type_hint === undefined ? { token: presented } : { token: presented, token_type_hint }));
      assert.equal(await status(presented), 401, token_type_hint);
      assert.equal(await introspect(presented), false);
    }
    const { key } = await keyed();
    await done(revoke({ token: key, token_type_hint: "access_token" }));
    assert.equal(await status(key), 401);
  });

  test("unknown, garbage, or revoked before: the answer is 200 and the same", async () => {
    const { token } = await agent();
    const presented = await token();
    const first = face(await done(revoke({ token: presented })));
    for (const other of [presented, "x", "a.b.c", "..", "postern_x_y", "x".repeat(20_000), "\u00e9"]) assert.equal(face(await done(revoke({ token: other }))), first);
  });

  test("without a token, as JSON or by GET it is refused", async () => {
    await refused(revoke({}), 400, "invalid_request");
    await refused(revoke({ token: "" }), 400, "invalid_request");
    await refused(postern.json("/oauth2/revoke", { token: "x" }), 415, "unsupported_media_type");
    assert.equal((await read(postern.get("/oauth2/revoke?token=x"))).status, 405);
    const { token } = await agent();
    const presented = await token();
    await refused(fetch(`${postern.issuer}/oauth2/revoke?token=${presented}`, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } }), 400, "invalid_request");
    assert.equal(await status(presented), 200, "the query string is not read");
  });
});

describe("what ends", () => {
  test("one token, and not its siblings, its assertion or its key", async () => {
    for (const { token } of [await agent(), await keyed()]) {
      const [one, two] = [await token(), await token()];
      await done(revoke({ token: one }));
      assert.deepEqual([await status(one), await status(two), await status(await token())], [401, 200, 200]);
    }
  });

  test("with its assertion, the whole registration and no other", async () => {
    const [mine, other] = [await agent(), await agent()];
    const [token, others] = [await mine.token(), await other.token()];
    await done(revoke({ token: mine.assertion }));
    assert.deepEqual([await status(token), await status(others)], [401, 200]);
    await refused(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: mine.assertion }), 400, "invalid_grant");
    await done(revoke({ token: mine.assertion }));
    assert.ok(await other.token());
  });

  test("an API key, and every token that was issued for it", async () => {
    const [mine, other] = [await keyed(), await keyed()];
    const tokens = [await mine.token(), await mine.token()];
    assert.deepEqual([await status(mine.key), await status(tokens[0])], [200, 200]);
    await done(revoke({ token: mine.key }));
    assert.deepEqual([await status(mine.key), await status(tokens[0]), await status(tokens[1])], [401, 401, 401]);
    assert.deepEqual([await introspect(mine.key), await introspect(tokens[1])], [false, false]);
    await refused(postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: mine.key }), 401, "invalid_client");
    assert.deepEqual([await status(other.key), await status(await other.token())], [200, 200]);
  });

  test("a token that is revoked fifty times at once is revoked once", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { token } = await agent();
      const [one, two] = [await token(), await token()];
      await Promise.all(Array.from({ length: 50 }, async () => done(revoke({ token: one }))));
      assert.deepEqual([await status(one), await status(two), await status(await token())], [401, 200, 200]);
    }
  });
});

describe("who may", () => {
  test("a client that authenticates ends only what is its own", async () => {
    const [mine, other] = [await keyed(), await keyed()];
    const presented = await other.token();
    const own = (await mine.token());
    for (const headers of [basic(mine.id, mine.key), basic("", mine.key), bearer(mine.key), bearer(own)]) {
      for (const token of [presented, other.key]) await done(revoke({ token }, headers));
    }
    await done(revoke({ token: presented, client_secret: mine.key, client_id: mine.id }));
    assert.deepEqual([await status(presented), await status(other.key)], [200, 200]);
    await done(revoke({ token: presented }, basic(other.id, other.key)));
    assert.deepEqual([await status(presented), await status(other.key)], [401, 200]);
    await done(revoke({ token: other.key, client_secret: other.key }));
    assert.equal(await status(other.key), 401);
  });

  test("a client that authenticates wrongly ends nothing", async () => {
    const [mine, other] = [await keyed(), await keyed()];
    const token = await mine.token();
    for (const headers of [basic(mine.id, "x"), basic(mine.id, `${mine.key}0`), basic("api", RESOURCE_SERVER_KEY), basic(other.id, mine.key), bearer("x"), { authorization: "Digest x" }]) {
      await refused(revoke({ token }, headers), 401, "invalid_client", JSON.stringify(headers));
    }
    await refused(revoke({ token, client_secret: mine.key }, basic(mine.id, mine.key)), 400, "invalid_request");
    assert.equal(await status(token), 200);
  });

  test("a token that is not genuine ends nothing, here or in introspection, whatever it says", async () => {
    const { token, assertion } = await agent();
    const victim = await token();
    const [head, payload] = victim.split(".");
    const { privateKey } = stranger();
    for (const genuine of [victim, assertion]) {
      const forged = [
        altered(genuine, { header: { alg: "none" } }, () => ""),
        altered(genuine, { header: { alg: "none", kid: undefined } }, () => "x"),
        altered(genuine, { header: { alg: "HS256" } }, (input) => createHmac("sha256", "").update(input).digest()),
        altered(genuine, {}, es256(privateKey)),
        `${genuine.split(".").slice(0, 2).join(".")}.`,
        `${genuine.split(".").slice(0, 2).join(".")}.${(await token()).split(".")[2]}`,
        `${head}.${payload}`,
      ];
      for (const presented of forged) {
        await done(revoke({ token: presented }));
        assert.equal((await read(postern.form("/oauth2/introspect", { token: presented }, bearer(victim)))).text, '{"active":false}');
      }
    }
    assert.deepEqual([await status(victim), await status(await token())], [200, 200]);
    assert.equal(await introspect(victim), true);
    assert.equal(claims(victim).generation, 0);
  });
});

describe("how soon", () => {
  const LIVENESS = 1000;

  /** How long after the answer to a revocation at `here` a request that is sent to `there` still gets in. */
  async function lag(credential, ended, here, there) {
    assert.deepEqual([await call(here, credential), await call(there, credential)], [200, 200]);
    let answered = Infinity;
    let last = 0;
    const watch = (async () => {
      for (;;) {
        const sent = performance.now();
        if ((await call(there, credential)) === 401) return;
        last = Math.max(last, sent - answered);
        assert.ok(last < 5 * LIVENESS, "still accepted after five seconds");
        await sleep(5);
      }
    })();
    await sleep(Math.random() * 300);
    const body = new URLSearchParams({ token: ended });
    await done(fetch(`${here}/oauth2/revoke`, { method: "POST", body }));
    answered = performance.now();
    assert.equal(await call(here, credential), 401, "at once where it was revoked");
    await watch;
    return last;
  }

  test("what is revoked in one isolate is refused in the other within LIVENESS_TTL", async (t) => {
    const [one, two] = [postern.issuer, await postern.second()];
    const tries = Math.max(4, ROUNDS);
    const lags = [];
    for (let round = 0; round < tries; round += 1) {
      const [here, there] = round % 2 ? [two, one] : [one, two];
      const [mine, other] = [await agent(), await keyed()];
      const [token, last, keys] = [await mine.token(), await (await agent()).token(), await other.token()];
      const whole = await agent();
      const wholes = await whole.token();
      lags.push(...(await Promise.all([lag(token, token, here, there), lag(last, last, here, there), lag(keys, other.key, here, there), lag(wholes, whole.assertion, here, there)])));
    }
    const longest = Math.max(...lags);
    t.diagnostic(`revoked in one isolate, refused in the other at most ${Math.ceil(longest)} ms after the answer (${lags.length} tries, LIVENESS_TTL ${LIVENESS} ms)`);
    assert.ok(longest <= LIVENESS, `${longest} ms`);
    assert.ok(lags.some((lag) => lag > 0), "the other isolate was asked while it still trusted what it knew");
  });
});
