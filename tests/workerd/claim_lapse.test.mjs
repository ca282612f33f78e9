// What a minute changes: registrations that nobody claimed are over, claimed ones are not, and spent refresh tokens are out of grace.
// One wait serves all tests: everything begins in `before`.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, exchange, register, registerKey, sleep, until } from "./support/agent.mjs";
import { asking, claimed, introspect, me, operate, press, reading, refresh, trade, typing } from "./support/consent.mjs";
import { complete, poll, start } from "./support/claim.mjs";
import { deploy } from "./support/postern.mjs";
import { byEmail, challenge, claim, finish, links, shown, wrong } from "./support/v01.mjs";

const TYPED = "/agent/identity/claim/complete";
const EMAIL = "lapse@example.com";
let postern;
const had = {};

before(async () => {
  postern = await deploy({ vars: { UNCLAIMED_REGISTRATION_TTL: "60", MAILS_PER_ADDRESS_PER_HOUR: "100", LIVENESS_TTL: "0" } });
  // Claimed in time.
  had.older = await shown(postern, EMAIL);
  had.olderKey = (await finish(postern, had.older.token, had.older.otp)).body.credential;
  had.newer = await claimed(postern, EMAIL);
  had.revoked = await typing(postern, EMAIL, had.newer.person);
  await operate(postern, "registrations/revoke", { registration_id: had.revoked.id });
  // Three families: the first token's successor was used, was not used, and the family will be ended.
  had.unused = await claimed(postern, EMAIL);
  had.unusedNext = (await refresh(postern, had.unused.spare)).body.identity.refresh_token.value;
  had.used = await claimed(postern, EMAIL);
  had.usedNext = (await refresh(postern, had.used.spare)).body.identity.refresh_token.value;
  had.usedLast = (await refresh(postern, had.usedNext)).body;
  // Not claimed in time, though somebody was at it.
  had.key = await shown(postern, EMAIL);
  had.idleKey = await registerKey(postern);
  had.idle = await register(postern);
  had.idleToken = (await exchange(postern, had.idle.identity_assertion)).access_token;
  had.typed = await typing(postern, EMAIL, had.newer.person);
  had.typedPage = { ...had.typed.person };
  had.relay = await reading(postern, EMAIL);
  had.asked = await asking(postern, EMAIL);
  had.mailed = (await byEmail(postern, "lapse-mailed@example.com")).body;
  [had.link] = await links(postern, "lapse-mailed@example.com");
  for (const token of [had.idleToken, had.idleKey.credential, had.key.agent.credential, had.olderKey]) assert.equal(await call(postern.issuer, token), 200);
  await sleep(61_000);
});
after(() => postern.stop());

const error = ({ status, body }) => [status, body?.error];

describe("an agent that was claimed in time", () => {
  test("keeps its key, whoever calls /claim afterwards (edge 58; a.19, 4)", async () => {
    for (const email of [EMAIL, "other@example.com"]) assert.deepEqual(error(await claim(postern, had.older.token, email)), [409, "claimed_or_in_flight"]);
    assert.deepEqual(error(await finish(postern, had.older.token, wrong(had.older.otp))), [409, "previously_claimed"]);
    const { status, body } = await me(postern, had.olderKey);
    assert.deepEqual([status, body.status, body.scopes, body.registration_expires], [200, "claimed", ["api.read", "api.write"], null]);
  });

  test("is claimed rather than expired: 409 and not 410 (21, C13)", async () => {
    for (const [type, code] of [["login_hint", "claimed_or_in_flight"], ["service_auth", "already_claimed"]]) assert.deepEqual(error(await start(postern, { type, claim_token: had.newer.token, login_hint: EMAIL })), [409, code]);
    assert.deepEqual(error(await start(postern, { claim_token: had.newer.token, email: EMAIL })), [409, "claimed_or_in_flight"]);
    assert.deepEqual(error(await complete(postern, had.newer.token, "123456")), [409, "already_claimed"]);
    assert.equal(await call(postern.issuer, had.newer.given.access_token), 200);
    assert.equal((await trade(postern, had.newer.given.identity_assertion)).status, 200);
  });

  test("or revoked is 410 (21)", async () => {
    assert.deepEqual(error(await start(postern, { type: "login_hint", claim_token: had.revoked.token, login_hint: EMAIL })), [410, "claim_expired"]);
    assert.equal((await poll(postern, had.revoked.token)).body.error, "expired_token");
  });
});

describe("an agent that nobody claimed in time", () => {
  test("has nothing that works, although nobody called /claim (edge 50; a.19, 5)", async () => {
    for (const token of [had.idleToken, had.idleKey.credential, had.key.agent.credential]) {
      assert.equal(await call(postern.issuer, token), 401);
      assert.deepEqual(await introspect(postern, token), { active: false });
    }
    assert.deepEqual(error(await trade(postern, had.idle.identity_assertion)), [400, "invalid_grant"]);
  });

  test("cannot be completed any more, with the right code or a wrong one (a.19, 5; 71)", async () => {
    for (const code of [had.key.otp, wrong(had.key.otp)]) assert.deepEqual(error(await finish(postern, had.key.token, code)), [410, "claim_expired"]);
    for (const code of [had.relay.code, wrong(had.relay.code)]) assert.deepEqual(error(await complete(postern, had.relay.token, code)), [410, "claim_expired"]);
    for (const { token } of [had.relay, had.typed, had.asked]) assert.deepEqual(error(await poll(postern, token)), [400, "expired_token"]);
    assert.deepEqual(error(await finish(postern, had.mailed.claim_token, "123456")), [410, "claim_expired"]);
  });

  test("cannot be started on again: start over, says claim_expired (27)", async () => {
    for (const claim_token of [had.idle.claim_token, had.typed.token, had.asked.token]) assert.deepEqual(error(await start(postern, { type: "login_hint", claim_token, login_hint: EMAIL })), [410, "claim_expired"]);
    for (const token of [had.idleKey.claim_token, had.key.token]) assert.deepEqual(error(await claim(postern, token, EMAIL)), [410, "claim_expired"]);
  });

  test("cannot be approved by the person who had its page open", async () => {
    const { status } = await press(had.typedPage, TYPED, { user_code: had.typed.user_code });
    assert.ok([404, 410].includes(status), `${status}`);
    assert.ok([404, 410].includes((await press(had.asked.person, "/claim/code")).status));
    const { status: late, body } = await challenge(postern, had.link);
    assert.equal(late, 410);
    assert.ok(["claim_expired", "claim_superseded"].includes(body.error));
    await had.newer.person.open("/account");
    for (const { id } of [had.typed, had.asked, had.relay]) assert.ok(!had.newer.person.html.includes(id));
    assert.ok(had.newer.person.html.includes(had.newer.id));
  });
});

describe("a refresh token that was spent more than a minute ago", () => {
  test("brings the same successor if that is unused", async () => {
    for (let time = 0; time < 2; time += 1) assert.equal((await refresh(postern, had.unused.spare)).body.identity.refresh_token.value, had.unusedNext);
    assert.equal((await refresh(postern, had.unusedNext)).status, 200);
    assert.equal((await refresh(postern, had.unused.spare)).body.error, "invalid_refresh_token", "now it is used, and the rotation is long ago");
  });

  test("ends the family and all that it has brought if the successor was used, and the owner is told (53)", async () => {
    const brought = [had.used.given.access_token, (await exchange(postern, had.usedLast.identity_assertion)).access_token];
    for (const token of brought) assert.equal(await call(postern.issuer, token), 200);
    assert.deepEqual(error(await refresh(postern, had.used.spare)), [400, "invalid_refresh_token"]);
    for (const token of [had.usedNext, had.usedLast.identity.refresh_token.value, had.used.spare]) assert.deepEqual(error(await refresh(postern, token)), [400, "invalid_refresh_token"]);
    for (const assertion of [had.used.given.identity_assertion, had.usedLast.identity_assertion]) assert.deepEqual(error(await trade(postern, assertion)), [400, "invalid_grant"]);
    for (const token of brought) assert.equal(await call(postern.issuer, token), 401);
    assert.equal(await call(postern.issuer, had.newer.given.access_token), 200, "nobody else's");
    const { person } = had.newer;
    await until(async () => /refresh token was used twice/.test((await person.open("/account")).html));
  });
});

test("a first refresh token keeps for longer than that", async () => {
  assert.equal((await refresh(postern, had.newer.spare)).status, 200);
});
