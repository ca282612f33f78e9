// What must happen once with codes and refresh tokens of clients, under a hundred parallel tries.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, code, connected, person, redeem, refresh, register } from "./support/oauth.mjs";
import { ROUNDS, deploy } from "./support/postern.mjs";

const HUNDRED = 100;

let postern, second, browser, client;
before(async () => {
  postern = await deploy({ isolates: 2 });
  const base = await postern.second();
  second = { ...postern, issuer: base, form: (path, fields) => fetch(base + path, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: new URLSearchParams(fields).toString() }) };
  browser = await person(postern, "ada@example.com");
  client = await register(postern);
});
after(() => postern.stop());

const crowd = (work) => Promise.all(Array.from({ length: HUNDRED }, (_, index) => work(index % 2 ? second : postern)));

test("a hundred parallel redemptions of one code have one winner, and the replay ends what it brought (edge 89)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const got = await code(postern, browser, client);
    const answers = await crowd((through) => redeem(through, client, got.code, got.verifier));
    const won = answers.filter(({ status }) => status === 200);
    assert.equal(won.length, 1);
    for (const { status, body } of answers.filter(({ status }) => status !== 200)) assert.deepEqual([status, body.error], [400, "invalid_grant"]);
    const [{ body }] = won;
    assert.equal((await refresh(postern, client, body.refresh_token)).status, 400);
  }
});

test("a hundred parallel refreshes of one token are all answered, with one successor (edge 88, row 25)", async () => {
  let { refresh_token } = await connected(postern, browser, client);
  for (let round = 0; round < ROUNDS; round += 1) {
    const answers = await crowd((through) => refresh(through, client, refresh_token));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    const successors = new Set(answers.map(({ body }) => body.refresh_token));
    assert.equal(successors.size, 1);
    assert.ok(!successors.has(refresh_token));
    assert.equal(new Set(answers.map(({ body }) => body.access_token)).size, HUNDRED, "each has an access token of its own");
    const [one] = answers;
    assert.equal(await call(postern, one.body.access_token), 200);
    [refresh_token] = successors;
  }
});

test("a revocation while a hundred refresh: afterwards nothing of the family works", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { refresh_token, access_token } = await connected(postern, browser, client);
    const tries = crowd((through) => refresh(through, client, refresh_token));
    const revoked = await postern.form("/oauth2/revoke", { token: refresh_token, client_id: client.client_id });
    assert.equal(revoked.status, 200);
    const answers = await tries;
    const tokens = answers.filter(({ status }) => status === 200).map(({ body }) => body);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    for (const token of [refresh_token, ...tokens.slice(0, 5).map((body) => body.refresh_token)]) assert.equal((await refresh(postern, client, token)).status, 400);
    for (const token of [access_token, ...tokens.slice(0, 5).map((body) => body.access_token)]) assert.equal(await call(postern, token), 401);
  }
});

describe("a spent token", () => {
  test("brings the same successor until that is used, and ends the family 61 seconds after (the refresh rule)", async () => {
    const mine = await connected(postern, browser, client);
    const other = await connected(postern, browser, client);
    const next = (await refresh(postern, client, mine.refresh_token)).body.refresh_token;
    assert.equal((await refresh(postern, client, mine.refresh_token)).body.refresh_token, next);
    const last = (await refresh(postern, client, next)).body;
    assert.equal((await refresh(postern, client, mine.refresh_token)).body.refresh_token, next, "within the minute");
    await new Promise((resolve) => setTimeout(resolve, 61_000));
    assert.equal((await refresh(postern, client, mine.refresh_token)).body.error, "invalid_grant");
    assert.equal((await refresh(postern, client, last.refresh_token)).body.error, "invalid_grant", "the newest one too");
    assert.equal(await call(postern, last.access_token), 401);
    assert.equal((await refresh(postern, client, other.refresh_token)).status, 200, "another session of the same client goes on");
  });
});

test("five sessions of one client refresh in parallel for many turns and none is logged out (row 25)", async () => {
  const sessions = await Promise.all(Array.from({ length: 5 }, () => 0).map(async () => null));
  for (let index = 0; index < sessions.length; index += 1) sessions[index] = (await connected(postern, browser, client)).refresh_token;
  for (let turn = 0; turn < 5; turn += 1) {
    const answers = await Promise.all(sessions.map((token, index) => refresh(index % 2 ? second : postern, client, token)));
    for (const [index, { status, body, text }] of answers.entries()) {
      assert.equal(status, 200, text);
      sessions[index] = body.refresh_token;
    }
  }
});
