// Refresh tokens: one successor each, for as long as it is not used and a minute longer; nothing else continues an identity.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange, register } from "./support/agent.mjs";
import { read } from "./support/answers.mjs";
import { at, claimed, crowd, operate, reading, refresh, signedIn, trade, typing } from "./support/consent.mjs";
import { complete, poll } from "./support/claim.mjs";
import { ROUNDS, deploy } from "./support/postern.mjs";
import { joined, parts } from "./support/secrets.mjs";

let postern, second, person;
before(async () => {
  postern = await deploy({ isolates: 2 });
  second = at(await postern.second());
  person = await signedIn(postern, "refresher@example.com");
});
after(() => postern.stop());

const agent = () => claimed(postern, "refresher@example.com", person);

/** The refresh token that this one brings, and the assertion with it. */
async function next(token, from = postern) {
  const { status, body, text, headers } = await refresh(from, token);
  assert.equal(status, 200, text);
  assert.equal(headers.get("cache-control"), "no-store");
  return { value: body.identity.refresh_token.value, assertion: body.identity.assertion, body };
}
async function dead(token, about) {
  const { status, body, text, headers } = await refresh(postern, token);
  assert.deepEqual([status, body?.error], [400, "invalid_refresh_token"], `${about} ${text}`);
  assert.equal(body.message, body.error_description);
  assert.equal(headers.get("cache-control"), "no-store");
}

test("a refresh token brings an assertion and its successor, and says until when (51)", async () => {
  const { spare, id, given } = await agent();
  const { body, value, assertion } = await next(spare);
  assert.deepEqual([body.type, body.id, body.registration_id, body.identity_assertion], ["refresh", id, id, assertion]);
  assert.notEqual(value, spare);
  assert.ok(Date.parse(body.identity.refresh_token.expires_at) - Date.now() > 29 * 86_400_000);
  assert.equal(body.access_token, undefined);
  assert.equal((await exchange(postern, assertion)).scope, "api.read api.write");
  assert.equal(claims(assertion).generation, claims(given.identity_assertion).generation);
  assert.equal((await trade(postern, given.identity_assertion)).status, 200, "the assertion from before is not ended by a refresh");
});

test("two processes that refresh the same token at once are both ready, also through two workers (51)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { spare } = await agent();
    const both = await Promise.all([next(spare), next(spare, second)]);
    assert.equal(both[0].value, both[1].value);
    for (const { assertion } of both) assert.equal(await call(postern.issuer, (await exchange(postern, assertion)).access_token), 200);
    const [one, two] = await Promise.all(both.map(({ value }) => next(value)));
    assert.equal(one.value, two.value, "and both go on from there");
  }
});

test("eight parallel refreshes have one successor value (52)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { spare } = await agent();
    const all = await crowd(8, (index) => next(spare, index % 2 ? second : postern));
    assert.equal(new Set(all.map(({ value }) => value)).size, 1);
    assert.ok(!all.some(({ value }) => value === spare));
  }
});

describe("a spent token", () => {
  test("whose successor is unused brings the same successor, again and again", async () => {
    const { spare } = await agent();
    const { value } = await next(spare);
    for (let time = 0; time < 5; time += 1) assert.equal((await next(spare, time % 2 ? second : postern)).value, value);
    await next(value);
  });

  test("whose successor was used within the minute brings the same successor, and ends nothing (53)", async () => {
    const { spare, given } = await agent();
    const { value: child } = await next(spare);
    const { value: grandchild } = await next(child);
    assert.equal((await next(spare)).value, child);
    assert.equal((await next(child)).value, grandchild);
    const { value: great, assertion } = await next(grandchild);
    for (const [spent, successor] of [[spare, child], [child, grandchild], [grandchild, great]]) assert.equal((await next(spent)).value, successor);
    assert.equal((await trade(postern, assertion)).status, 200);
    assert.equal(await call(postern.issuer, given.access_token), 200);
    await next(great);
  });
});

describe("what continues nothing", () => {
  test("a token in which one character differs, wherever it is, and the family goes on (55)", async () => {
    const { spare } = await agent();
    const { value } = await next(spare);
    for (const token of [spare, value]) {
      const forged = Array.from(token, (char, index) => token.slice(0, index) + (char === "0" ? "1" : "0") + token.slice(index + 1)).filter((other) => other !== token);
      for (let first = 0; first < forged.length; first += 20) await Promise.all(forged.slice(first, first + 20).map((other) => dead(other, other)));
    }
    assert.equal((await next(spare)).value, value, "nothing was spent and nothing ended");
    await next(value);
  });

  test("another kind of token, also of the same registration, and the family goes on (55)", async () => {
    const { spare, given, token, verification_uri, id } = await agent();
    const page = decodeURIComponent(verification_uri).split("claim_attempt_token=")[1];
    const renamed = [token, page, [...person.cookies.values()].find((cookie) => cookie.startsWith("pss_"))].map((other) => `art${other.slice(3)}`);
    for (const other of [given.access_token, given.identity_assertion, token, page, id, ...renamed, "", "art_", "art_x_y", `${spare} `, ` ${spare}`, spare.slice(0, -1), `${spare}0`, spare.toLowerCase(), spare.replace("art_", ""), spare.replace("art_", "ART_")]) await dead(other, other);
    await next(spare);
  });

  test("a token that is made up of a genuine address, any key and the right checksum, and the family goes on (55)", async () => {
    const { spare } = await agent();
    const { value } = await next(spare);
    assert.equal(joined(parts(value).address, parts(value).key), value, "this is how tokens are made");
    for (const genuine of [spare, value]) {
      const { address, key } = parts(genuine);
      for (let bit = 0; bit < 256; bit += 3) {
        const flipped = Buffer.from(key);
        flipped[bit >> 3] ^= 1 << (bit & 7);
        await dead(joined(address, flipped), `bit ${bit}`);
      }
      for (const made of [Buffer.alloc(32), Buffer.alloc(32, 255), Buffer.concat([key.subarray(0, 8), Buffer.alloc(24)])]) await dead(joined(address, made));
    }
    assert.equal((await next(spare)).value, value);
    await next(value);
  });

  test("parts of two genuine tokens put together (55)", async () => {
    const [mine, other] = [await agent(), await agent()];
    const [one, two] = [parts(mine.spare), parts(other.spare)];
    for (const token of [joined(one.address, two.key), joined(two.address, one.key)]) await dead(token);
    for (const { spare } of [mine, other]) await next(spare);
  });

  test("a token of another deployment (55)", async () => {
    const foreign = await deploy({ vars: { POSTERN_SECRET: "another-secret-of-the-tests-0123456789abcdef" } });
    try {
      const { spare } = await claimed(foreign, "foreign@example.com");
      await dead(spare);
      assert.equal((await refresh(foreign, spare)).status, 200);
    } finally {
      await foreign.stop();
    }
  });

  test("anything that is not a string is invalid_request, and spends nothing (55)", async () => {
    const { spare } = await agent();
    for (const refresh_token of [undefined, null, 7, [spare], { value: spare }, true]) {
      const { status, body } = await refresh(postern, refresh_token);
      assert.deepEqual([status, body.error], [400, "invalid_request"], JSON.stringify(refresh_token));
    }
    assert.equal((await read(postern.form("/oauth2/token", { grant_type: "refresh_token", refresh_token: spare }))).body.error, "invalid_client", "that grant is for clients");
    assert.equal((await read(postern.form("/agent/identity", { type: "refresh", refresh_token: spare }))).status, 415);
    await next(spare);
  });

  test("what a registration was given before anybody claimed it (55)", async () => {
    const { identity_assertion, claim_token } = await register(postern);
    for (const token of [identity_assertion, claim_token, `art${claim_token.slice(3)}`]) await dead(token);
  });
});

test("while nothing can be signed a refresh is 503 with Retry-After, and the same token then brings what it would have brought (56)", async () => {
  const postern = await deploy({ vars: { LIVENESS_TTL: "0" } });
  try {
    const { spare } = await claimed(postern, "overload@example.com");
    const published = await (await postern.mf.getKVNamespace("KV")).get("keyring");
    const publish = async (ring) => (await postern.mf.getKVNamespace("KV")).put("keyring", ring);
    const broken = JSON.parse(published);
    for (const key of broken.keys) key.wrapped = Buffer.from(key.wrapped, "base64url").fill(7, 12, 20).toString("base64url");
    await publish(JSON.stringify(broken));
    await postern.restart();
    for (let time = 0; time < 2; time += 1) {
      const { status, headers, body } = await refresh(postern, spare);
      assert.deepEqual([status, body.error], [503, "temporarily_unavailable"]);
      assert.ok(Number(headers.get("retry-after")) > 0);
      assert.ok(!JSON.stringify(body).includes("art_"));
    }
    await publish(published);
    await postern.restart();
    const [{ body: one }, { body: two }] = [await refresh(postern, spare), await refresh(postern, spare)];
    assert.equal(one.identity.refresh_token.value, two.identity.refresh_token.value);
    assert.equal((await trade(postern, one.identity.assertion)).status, 200);
    assert.equal((await refresh(postern, one.identity.refresh_token.value)).status, 200);
  } finally {
    await postern.stop();
  }
});

describe("a refresh token is dead", () => {
  const ended = {
    "after its owner revoked the agent": async ({ id }) => {
      await person.open("/account");
      await person.post("/account/agents/revoke", { csrf: /name="csrf" value="([^"]+)/.exec(person.html)[1], registration: id });
      assert.equal(person.status, 303, person.html);
    },
    "after the operator revoked the agent": async ({ id }) => assert.equal((await operate(postern, "registrations/revoke", { registration_id: id })).status, 200),
    "after the agent gave its assertion back": async ({ given }) => assert.equal((await read(postern.form("/oauth2/revoke", { token: given.identity_assertion }))).status, 200),
  };
  for (const [when, end] of Object.entries(ended)) {
    test(`${when} (54)`, async () => {
      const mine = await agent();
      const other = await agent();
      const { value } = await next(mine.spare);
      await end(mine);
      for (const token of [mine.spare, value]) await dead(token, when);
      await next(other.spare);
    });
  }

  test("while its owner is suspended, and goes on when they are let in again (54)", async () => {
    const email = "rests@example.com";
    const { spare } = await claimed(postern, email);
    const { value } = await next(spare);
    assert.equal((await operate(postern, "people/suspend", { email })).body.agents, 1);
    for (const token of [spare, value]) await dead(token, "suspended");
    assert.equal((await operate(postern, "people/resume", { email })).status, 200);
    assert.equal((await next(spare)).value, value, "nothing was spent meanwhile");
    await next(value);
  });

  test("after its owner was erased, even if they come again (54)", async () => {
    const email = "erased@example.com";
    const { spare, given } = await claimed(postern, email);
    assert.deepEqual((await operate(postern, "people/erase", { email })).body.agents, 1);
    await dead(spare, "erased");
    await signedIn(postern, email);
    await dead(spare, "they came again");
    assert.equal((await trade(postern, given.identity_assertion)).body.error, "invalid_grant");
  });

  test("until the claim is delivered there is none, and a claim in either way has one of its own (49)", async () => {
    const relayed = await reading(postern, "refresher@example.com", person);
    const { body } = await complete(postern, relayed.token, relayed.code);
    const typed = await typing(postern, "refresher@example.com", person);
    assert.equal((await poll(postern, typed.token)).body.identity, undefined);
    await next(body.identity.refresh_token.value);
  });
});
