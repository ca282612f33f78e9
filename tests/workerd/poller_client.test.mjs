// Agents of auth.md 0.7 and 0.6 that show a code and poll, from the 401 to the API.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { claims } from "./support/agent.mjs";
import { Browser } from "./support/person.mjs";
import { Poller } from "./support/poller.mjs";
import { deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";

const COMPLETE = "/agent/identity/claim/complete";
let postern, provider;
before(async () => {
  provider = await provide();
  postern = await deploy({ vars: trusting(provider) });
});
after(() => Promise.all([postern.stop(), provider.stop()]));

const agent = (options) => new Poller(`${postern.issuer}/api/v1/auth/me`, options).discover();
const other = (code) => String((Number(code) + 1) % 1_000_000).padStart(6, "0");
const visit = (email, { verification_uri }) => new Browser(postern).signIn(email, verification_uri);

/** The person types the code that the agent has shown. */
async function type(email, attempt) {
  const person = await visit(email, attempt);
  await person.submit(COMPLETE, { user_code: attempt.user_code });
  assert.equal(person.status, 200, person.html);
}

describe("an agent that polls", { concurrency: true }, () => {
  test("is pending before and during the attempt, at the pace it was given, and in once the code is typed (25)", async () => {
    const [client, email] = [await agent(), "pace-25@example.com"];
    await client.register({ type: "anonymous" });
    assert.equal(await client.ask(), "authorization_pending");
    await client.start(email);
    assert.equal(client.interval, 5);
    const polled = client.wait().then(() => client.poll());
    await type(email, client.attempt);
    assert.equal(await polled, "ready");
    assert.deepEqual([client.answers, client.waited], [["authorization_pending", "ready"], [5]]);
    assert.deepEqual([client.scope, await client.call()], ["api.read api.write", 200]);
    assert.equal((await client.exchange()).status, 200);
    assert.equal(await client.ask(), "expired_token");
  });

  test("that polls too soon is told slow_down, waits five seconds longer, and is not told so again (26)", async () => {
    const [client, email] = [await agent(), "soon-26@example.com"];
    await client.register({ type: "service_auth", login_hint: email });
    assert.deepEqual([client.identity, client.interval], [null, 5]);
    assert.equal(await client.ask(), "authorization_pending");
    assert.equal(await client.poll(1), "authorization_pending");
    assert.deepEqual([client.answers.at(-1), client.waited], ["slow_down", [10]]);
    assert.equal(await client.ask(), "authorization_pending", "the longer wait was long enough");
    const polled = client.wait().then(() => client.poll());
    await type(email, client.attempt);
    assert.equal(await polled, "ready");
    assert.deepEqual([client.answers, client.waited], [["authorization_pending", "slow_down", "authorization_pending", "ready"], [10, 10]]);
    assert.equal(await client.call(), 200);
  });

  test("is told access_denied when its person refuses, and stays refused (29)", async () => {
    const [client, email] = [await agent(), "no-29@example.com"];
    await client.register({ type: "service_auth", login_hint: email });
    assert.equal(await client.ask(), "authorization_pending");
    await (await visit(email, client.attempt)).submit("/claim/deny");
    await client.wait();
    assert.deepEqual([await client.ask(), await client.ask()], ["access_denied", "access_denied"]);
  });
});

test("an agent whose code was typed wrong five times is told expired_token, and starts anew under the same name (23)", async () => {
  const [client, email] = [await agent(), "anew-23@example.com"];
  const { registration_id } = await client.register({ type: "service_auth", login_hint: email });
  const { user_code } = client.attempt;
  const person = await visit(email, client.attempt);
  for (let time = 0; time < 5; time += 1) {
    await person.open(client.attempt.verification_uri);
    await person.submit(COMPLETE, { user_code: other(user_code) });
    assert.notEqual(person.status, 200);
  }
  assert.equal(await client.poll(1), "expired_token");
  await client.start(email);
  assert.equal(client.shown.length, 2);
  assert.equal(client.id, registration_id);
  await type(email, client.attempt);
  assert.equal(await client.ask(), "ready");
  assert.equal(claims(client.token).sub, registration_id);
});

for (const version of ["0.7", "0.6"]) {
  test(`an agent of ${version} claims what it registered anonymously, and nothing from before works after (25)`, async () => {
    const [client, email] = [await agent({ version }), `whole-${version}@example.com`];
    const { pre_claim_scopes, post_claim_scopes } = await client.register({ type: "anonymous" });
    assert.deepEqual([pre_claim_scopes, post_claim_scopes], [["api.read"], ["api.read", "api.write"]]);
    assert.equal((await client.exchange()).body.scope, "api.read");
    const [early, before] = [client.token, client.identity];
    assert.equal(await client.call(), 200);
    await client.start(email);
    await type(email, client.attempt);
    assert.equal(await client.ask(), "ready");
    assert.equal(await client.call(), 200);
    const mine = client.token;
    Object.assign(client, { token: early, identity: before });
    assert.deepEqual([await client.call(), (await client.exchange()).body.error], [401, "invalid_grant"]);
    assert.equal(Object.assign(client, { token: mine }) && (await client.call()), 200);
  });

  test(`an agent of ${version} with a provider's word shows a code when its person has an account (44)`, async () => {
    const who = { sub: `user-${version}`, email: `vouched-${version}@example.com` };
    await new Browser(postern).signIn(who.email);
    const client = await agent({ version });
    assert.ok(client.identity_assertion.assertion_types_supported.includes("urn:ietf:params:oauth:token-type:id-jag"));
    const present = () => client.register({ type: "identity_assertion", assertion_type: "urn:ietf:params:oauth:token-type:id-jag", assertion: provider.idJag(postern, who) });
    const { error, registration_type, registration_id, claim_token: first } = await present();
    assert.deepEqual([error, registration_type, client.identity], ["interaction_required", "identity_assertion", null]);
    const again = await present();
    assert.equal(again.registration_id, registration_id);
    assert.notEqual(again.claim_token, first);
    const old = Object.assign(await agent(), { claim_token: first });
    assert.equal(await old.ask(), "expired_token");
    await type(who.email, client.attempt);
    assert.equal(await client.ask(), "ready");
    assert.equal(await client.call(), 200);
    const { error: none, identity_assertion } = await present();
    assert.deepEqual([none, typeof identity_assertion], [undefined, "string"]);
  });
}

test("an agent that asks for its person's approval under another address than it registered with is refused (20)", async () => {
  const client = await agent();
  await client.register({ type: "service_auth", login_hint: "mine-20@example.com" });
  const { status, body } = await client.json(client.claim_endpoint, { type: "login_hint", claim_token: client.claim_token, login_hint: "theirs-20@example.com" });
  assert.deepEqual([status, body.error], [400, "invalid_login_hint"]);
  assert.equal(await client.ask(), "authorization_pending");
});
