// When no attempt begins: tokens of nobody, agents that are claimed, revoked or too old, and words that come too late.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, register, registerKey } from "./support/agent.mjs";
import { read } from "./support/answers.mjs";
import { asking, atPage, claimed, onBehalf, operator, refusedAgent, someone, type } from "./support/ceremony.mjs";
import { poll, start } from "./support/claim.mjs";
import { Browser } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";
import { vouched, voucher } from "./support/voucher.mjs";

let postern, provider;
before(async () => {
  provider = await voucher();
  postern = await deploy({ vars: { TRUSTED_PROVIDERS: JSON.stringify([provider.entry]) } });
});
after(async () => {
  await postern.stop();
  await provider.stop();
});

const claim = (body) => postern.json("/agent/identity/claim", body);
const byIdJag = async (claim_token, sub, email) => start(postern, { type: "identity_assertion", claim_token, assertion: await provider.vouch(postern.issuer, sub, email) });

describe("nothing is begun", () => {
  test("with the token of another deployment, an invented one, or one of another kind (22, C12, edge 62)", async () => {
    const other = await deploy({ vars: { POSTERN_SECRET: "another-deployments-secret-0123456789abcdef" }, persist: false });
    try {
      const theirs = (await register(other)).claim_token;
      const [one, two] = [await asking(postern), await register(postern)];
      const [head, tail] = [one.claim_token.slice(0, one.claim_token.lastIndexOf("_")), two.claim_token.slice(two.claim_token.lastIndexOf("_"))];
      const older = (await registerKey(postern)).claim_token;
      const strangers = { theirs, spliced: head + tail, view: one.view, assertion: two.identity_assertion, older, short: "clm_x", empty: "", cut: two.claim_token.slice(0, -1), longer: `${two.claim_token}0`, cased: two.claim_token.toUpperCase(), spaced: ` ${two.claim_token}`, id: one.agent.registration_id };
      for (const [what, claim_token] of Object.entries(strangers)) {
        for (const kind of ["login_hint", "service_auth"]) await refusedAgent(claim({ type: kind, claim_token, login_hint: someone() }), 401, "invalid_claim_token", what);
        await refusedAgent(postern.json("/agent/identity/claim/complete", { claim_token, user_code: "123456" }), 400, "invalid_claim", what);
        if (claim_token !== "") assert.equal((await poll(postern, claim_token)).body.error, "expired_token", what);
        const jag = await read(claim({ type: "identity_assertion", claim_token, assertion: "x" }));
        assert.deepEqual([jag.status, jag.body.error], [401, "invalid_claim_token"], what);
      }
    } finally {
      await other.stop();
    }
  });

  test("for an agent that is claimed, then for one that is revoked: in this order, in each dialect's name (21, C11, C13, edge 71)", async () => {
    const { claim_token, email, agent, got } = await claimed(postern);
    const names = async (first, second) => {
      await refusedAgent(claim({ type: "login_hint", claim_token, login_hint: email }), ...first);
      await refusedAgent(claim({ type: "service_auth", claim_token, login_hint: email }), ...second);
      await refusedAgent(claim({ type: "login_hint", claim_token, login_hint: "nobody" }), ...first);
    };
    await names([409, "claimed_or_in_flight"], [409, "already_claimed"]);
    assert.equal(await call(postern.issuer, got.body.access_token), 200, "asking again has broken nothing");
    assert.equal((await operator(postern, "registrations/revoke", { registration_id: agent.registration_id })).status, 200);
    await names([409, "claimed_or_in_flight"], [409, "already_claimed"]);

    const open = await asking(postern);
    await operator(postern, "registrations/revoke", { registration_id: open.agent.registration_id });
    await refusedAgent(claim({ type: "login_hint", claim_token: open.claim_token, login_hint: open.email }), 410, "claim_expired");
    await refusedAgent(claim({ type: "service_auth", claim_token: open.claim_token, login_hint: open.email }), 410, "claim_revoked");
  });

  test("by ID-JAG for an agent that named its person, or while a person is at it, and nobody is made for it (C18, 1.12 item 5)", async () => {
    const [named, open, email] = [await onBehalf(postern), await asking(postern), someone("fresh")];
    const before = (await postern.mf.listDurableObjectIds("ACCOUNT")).length;
    const refusals = [await byIdJag(named.claim_token, "c18", email), await byIdJag(open.claim_token, "c18", email)];
    assert.deepEqual(refusals.map(({ status, body }) => [status, body.error]), [[409, "claimed_or_in_flight"], [409, "ceremony_in_flight"]]);
    assert.ok(refusals[1].body.message.length > 10);
    assert.equal((await postern.mf.listDurableObjectIds("ACCOUNT")).length, before, "no account");
    await atPage(postern, open);
    const person = await new Browser(postern).signIn(email);
    const stepped = await read(postern.json("/agent/identity", vouched(await provider.vouch(postern.issuer, "c18", email))));
    assert.equal(stepped.body.error, "interaction_required", "no link either: its first one must still be confirmed");
    assert.equal(person.status, 200);
  });
});

test("a registration past its time is 410, a claimed one of that age is 409 and works (21, edge 58)", async () => {
  const short = await deploy({ vars: { UNCLAIMED_REGISTRATION_TTL: "60" }, persist: false });
  try {
    const [late, page, done] = [await asking(short), await asking(short), await claimed(short)];
    const person = await atPage(short, page);
    await new Promise((resolve) => setTimeout(resolve, 61_000));
    for (const { claim_token, email } of [late, page]) {
      await refusedAgent(short.json("/agent/identity/claim", { type: "login_hint", claim_token, login_hint: email }), 410, "claim_expired");
      await refusedAgent(short.json("/agent/identity/claim/complete", { claim_token, user_code: "123456" }), 410, "claim_expired");
      assert.equal((await poll(short, claim_token)).body.error, "expired_token");
    }
    await type(person, page.user_code);
    assert.equal(person.status, 410, person.html);
    await refusedAgent(short.json("/agent/identity/claim", { type: "login_hint", claim_token: done.claim_token, login_hint: done.email }), 409, "claimed_or_in_flight");
    assert.equal(await call(short.issuer, done.got.body.access_token), 200);
  } finally {
    await short.stop();
  }
});
