// Idempotency-Key: a retry after a lost answer is the same registration, for the one who sent it and for nobody else.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange, register, registerKey, sleep } from "./support/agent.mjs";
import { address, deploy, ROUNDS } from "./support/postern.mjs";

const V01 = { type: "anonymous", requested_credential_type: "api_key" };
let keys = 0;
/** Headers of a client with an address and a key of its own. */
const client = (extra = {}) => ({ "cf-connecting-ip": address(), "idempotency-key": `key-of-the-tests-${(keys += 1)}`, ...extra });

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

async function refused(response, status, code) {
  const body = await response.json();
  assert.deepEqual([response.status, body.error], [status, code]);
  assert.equal(response.headers.get("cache-control"), "no-store");
  return body;
}

describe("the same request with the same key", () => {
  test("gets the same API key again, byte for byte", async () => {
    const who = client();
    const first = await registerKey(postern, who, { email: "ada@example.com" });
    await sleep(1100);
    const again = await registerKey(postern, who, { email: "ada@example.com" });
    assert.deepEqual(again, first);
    assert.equal(await call(postern.issuer, again.credential), 200);
  });

  test("gets the same registration and the same assertion again, to the last claim", async () => {
    const who = client();
    const first = await register(postern, who);
    await sleep(1100);
    const again = await register(postern, who);
    for (const name of ["registration_id", "assertion_expires", "registration_expires"]) assert.equal(again[name], first[name], name);
    assert.deepEqual(claims(again.identity_assertion), claims(first.identity_assertion));
    for (const { identity_assertion } of [first, again]) await exchange(postern, identity_assertion);
  });

  test("is one registration even if twenty come at once", async () => {
    const roomy = await deploy({ vars: { REGISTRATIONS_PER_NETWORK_PER_HOUR: "1000" }, persist: false });
    try {
      for (let round = 0; round < ROUNDS; round += 1) {
        const [one, other] = [client(), client()];
        const bodies = await Promise.all(Array.from({ length: 20 }, () => registerKey(roomy, one)));
        assert.equal(new Set(bodies.map((body) => JSON.stringify(body))).size, 1);
        const assertions = await Promise.all(Array.from({ length: 20 }, () => register(roomy, other)));
        assert.equal(new Set(assertions.map((body) => JSON.stringify(claims(body.identity_assertion)))).size, 1);
      }
    } finally {
      await roomy.stop();
    }
  });

  test("does not count against the limit, and is answered even when the limit is reached", async () => {
    const who = client();
    const first = await registerKey(postern, who);
    for (let count = 0; count < 20; count += 1) assert.deepEqual(await registerKey(postern, who), first);
    const plain = { "cf-connecting-ip": who["cf-connecting-ip"] };
    for (let count = 0; count < 4; count += 1) await registerKey(postern, plain);
    await refused(await postern.json("/agent/auth", V01, plain), 429, "rate_limited");
    assert.deepEqual(await registerKey(postern, who), first);
    await refused(await postern.json("/agent/auth", V01, { ...plain, "idempotency-key": "a-new-key-after-the-limit" }), 429, "rate_limited");
  });

  test("counts once against the limit even if fifty come at once", async () => {
    for (let round = 0; round < 2 * ROUNDS; round += 1) {
      const who = client();
      const answers = await Promise.all(Array.from({ length: 50 }, () => postern.json("/agent/auth", V01, who)));
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
      const next = await postern.json("/agent/auth", V01, { "cf-connecting-ip": who["cf-connecting-ip"] });
      assert.equal(next.headers.get("ratelimit-remaining"), "3", "one of five was used, not more");
    }
  });

  test("does not bring back what has ended", async () => {
    const who = client();
    const { credential } = await registerKey(postern, who);
    assert.equal((await postern.form("/oauth2/revoke", { token: credential })).status, 200);
    await postern.json("/agent/auth", V01, who);
    assert.equal(await call(postern.issuer, credential), 401);
  });
});

describe("the same key", () => {
  test("with another body is 422", async () => {
    const who = client();
    await registerKey(postern, who);
    for (const body of [{ ...V01, agent: "another" }, { ...V01, email: "ada@example.com" }, `${JSON.stringify(V01)} `]) await refused(await postern.json("/agent/auth", body, who), 422, "idempotency_key_reused");
    await registerKey(postern, who);
  });

  test("on another path is 422", async () => {
    const who = client();
    await registerKey(postern, who);
    await refused(await postern.json("/agent/identity", V01, who), 422, "idempotency_key_reused");
  });

  test("on the two names of one path is the same request", async () => {
    const who = client();
    const first = await registerKey(postern, who);
    assert.deepEqual(await (await postern.json("/api/agent/auth", V01, who)).json(), first);
  });

  test("from another address is another registration, and tells nothing of the first", async () => {
    const who = client();
    const first = await registerKey(postern, who);
    const other = await registerKey(postern, { ...who, "cf-connecting-ip": address() });
    assert.notEqual(other.registration_id, first.registration_id);
    assert.notEqual(other.credential.slice(-49), first.credential.slice(-49));
    assert.equal((await postern.json("/agent/auth", { ...V01, agent: "x" }, { ...who, "cf-connecting-ip": address() })).status, 200);
  });

  test("is not spent by a request that was refused", async () => {
    const who = client();
    for (const body of ["{", { type: "robot" }, { ...V01, email: "nobody" }, { ...V01, requested_credential_type: "access_token" }]) assert.equal((await postern.json("/agent/auth", body, who)).status, 400);
    await registerKey(postern, who);
  });
});

describe("a key", () => {
  for (const [what, key] of [["empty", ""], ["of 15 characters", "k".repeat(15)], ["of 256 characters", "k".repeat(256)], ["of 10,000 characters", "k".repeat(10_000)], ["with a space", "a key with spaces in it"], ["that is not ASCII", "schlüssel-schlüssel"], ["that comes twice", ["the-first-of-two-keys", "the-second-of-two-keys"].join(", ")]])
    test(`${what} is refused, and registers nobody`, async () => {
      const who = client({ "idempotency-key": key });
      for (const path of ["/agent/identity", "/agent/auth"]) await refused(await postern.json(path, V01, who), 400, "invalid_request");
      const { headers } = await postern.json("/agent/auth", V01, { "cf-connecting-ip": who["cf-connecting-ip"] });
      assert.equal(headers.get("ratelimit-remaining"), "4");
    });
  for (const length of [16, 255]) test(`of ${length} characters is taken`, async () => void (await registerKey(postern, client({ "idempotency-key": "k".repeat(length) }))));

  test("is one thing with its case and punctuation", async () => {
    const who = client({ "idempotency-key": "AbCdEfGhIjKlMnOp~!" });
    const first = await registerKey(postern, who);
    assert.notEqual((await registerKey(postern, { ...who, "idempotency-key": "abcdefghijklmnop~!" })).registration_id, first.registration_id);
  });
});

test("without a key every request is another registration", async () => {
  const who = { "cf-connecting-ip": address() };
  const all = await Promise.all(Array.from({ length: 5 }, () => registerKey(postern, who)));
  assert.equal(new Set(all.flatMap(({ registration_id, credential }) => [registration_id, credential])).size, 10);
});
