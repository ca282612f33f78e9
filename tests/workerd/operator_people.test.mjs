// What the operator can do to a person: suspend, resume, erase.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { JWT_BEARER, call, exchange, until } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { attemptToken, complete, page, poll, start } from "./support/claim.mjs";
import { claimed } from "./support/claimed.mjs";
import { deploy, OPERATOR_KEY } from "./support/postern.mjs";
import { asked, Browser, forms, signedIn } from "./support/person.mjs";

let postern;
before(async () => (postern = await deploy({ isolates: 2, vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" } })));
after(() => postern.stop());

const operate = (what, body, key = OPERATOR_KEY) => read(postern.json(`/operator/people/${what}`, body, { authorization: `Bearer ${key}` }));
const refresh = (got) => read(postern.json("/agent/identity", { type: "refresh", refresh_token: got.identity.refresh_token.value }));

test("nobody but the operator does it (issue 1)", async () => {
  const browser = await new Browser(postern).signIn("safe@example.com");
  for (const what of ["suspend", "resume", "erase"]) {
    for (const key of ["", "x", `${OPERATOR_KEY}x`, OPERATOR_KEY.slice(1)]) {
      const refused = await operate(what, { email: "safe@example.com" }, key);
      assert.equal(refused.status, 401);
      assert.match(refused.headers.get("www-authenticate"), /^Bearer/);
    }
    await browser.send("/account");
    await browser.post(`/operator/people/${what}`, { email: "safe@example.com", csrf: forms(browser.html)["/logout"][0].csrf });
    assert.equal(browser.status, 401);
    for (const body of [{}, { email: "nobody@example.com" }, { email: "x" }, { account: "x" }, { account: "acc_0000000000000000000000" }, []]) {
      const { status } = await operate(what, body);
      assert.ok([400, 404].includes(status), `${what} ${JSON.stringify(body)}: ${status}`);
    }
  }
  assert.equal(await signedIn(browser), "safe@example.com");
});

test("suspending ends every session at once, rests every agent, and bars signing in; resuming lets both go on (issue 1, 51, 112)", async () => {
  const email = "suspended@example.com";
  const [one, two] = [await new Browser(postern).signIn(email), await new Browser(postern).signIn(email)];
  const agent = await claimed(postern, one, email);
  const elsewhere = Object.assign(new Browser(postern, { base: await postern.second() }), { cookies: one.cookies });
  assert.equal(await signedIn(elsewhere), email);
  const { code, browser: waiting } = await asked(postern, email);
  const done = await operate("suspend", { email: "Suspended@EXAMPLE.com" });
  assert.deepEqual([done.status, done.body.status, done.body.agents], [200, "suspended", 1]);
  for (const browser of [one, two, elsewhere]) assert.equal(await signedIn(browser), null);
  await waiting.submit("/login/code", { code });
  assert.equal(waiting.status, 403, "a code from before does not help");
  assert.equal(await call(postern.issuer, agent.got.access_token), 401);
  await until(async () => (await call(await postern.second(), agent.got.access_token)) === 401, 3000);
  assert.equal((await read(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: agent.got.identity_assertion }))).status, 400);
  assert.notEqual((await refresh(agent.got)).status, 200);
  assert.equal((await operate("suspend", { email })).status, 200, "twice is once");
  assert.equal((await operate("resume", { email })).body.status, "active");
  assert.equal(await signedIn(one), null, "the old sessions stay over");
  const back = await new Browser(postern).signIn(email);
  assert.equal(await signedIn(back), email);
  assert.match(back.html, /The account was suspended/);
  assert.match(back.html, /The account was opened again/);
  await until(async () => (await read(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: agent.got.identity_assertion }))).status === 200, 3000);
});

test("suspended between confirmation and delivery, the agent gets nothing, on both paths (30)", async () => {
  for (const path of ["typed", "relay"]) {
    const email = `between-${path}@example.com`;
    const browser = await new Browser(postern).signIn(email);
    const agent = await ok(postern.json("/agent/identity", { type: "anonymous" }));
    const { body } = await start(postern, { type: path === "typed" ? "login_hint" : "service_auth", claim_token: agent.claim_token, login_hint: email });
    await browser.open(page((body.claim_attempt ?? body.attempt).verification_uri));
    let code;
    if (path === "typed") await browser.submit("/agent/identity/claim/complete", { user_code: body.claim_attempt.user_code });
    else {
      await browser.submit("/claim/code");
      code = /class="shown"[^>]*><span>(\d+)<\/span><span>(\d+)</.exec(browser.html).slice(1).join("");
    }
    assert.equal(browser.status, 200);
    await until(async () => path === "relay" || (await browser.open("/account")).html.includes(agent.registration_id));
    await operate("suspend", { email });
    if (path === "relay") assert.notEqual((await complete(postern, agent.claim_token, code)).status, 200);
    const polled = await poll(postern, agent.claim_token);
    assert.notEqual(polled.status, 200, polled.text);
    assert.ok(["access_denied", "authorization_pending", "slow_down", "expired_token"].includes(polled.body.error), polled.text);
    if (path === "typed") assert.equal(polled.body.error, "access_denied");
  }
});

test("a suspended person is asked nothing: the page of an attempt leads to signing in (issue 1)", async () => {
  const email = "asked@example.com";
  const browser = await new Browser(postern).signIn(email);
  const agent = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email }));
  const token = attemptToken(agent.claim.attempt.verification_uri);
  await browser.open(`/claim?claim_attempt_token=${token}`);
  const form = forms(browser.html)["/agent/identity/claim/complete"][0];
  await operate("suspend", { email });
  await browser.post("/agent/identity/claim/complete", { ...form, user_code: agent.claim.user_code });
  assert.equal(browser.status, 403, "the form was of a session that is over");
  await browser.send(`/claim?claim_attempt_token=${token}`);
  assert.equal(browser.status, 303);
  assert.match(browser.headers.get("location"), /^\/login\?/);
  assert.equal((await poll(postern, agent.claim_token)).body.error, "authorization_pending");
});

test("erasing forgets the person, ends sessions and agents for good, and the address begins anew (issue 1, 54)", async () => {
  const email = "erased-person@example.com";
  const browser = await new Browser(postern).signIn(email);
  const agent = await claimed(postern, browser, email, { agent: "Forgotten Fred" });
  await exchange(postern, agent.got.identity_assertion);
  const done = await operate("erase", { email });
  assert.deepEqual([done.status, done.body.status, done.body.agents], [200, "erased", 1]);
  assert.equal(await signedIn(browser), null);
  assert.equal(await call(postern.issuer, agent.got.access_token), 401);
  assert.equal((await refresh(agent.got)).body.error, "invalid_refresh_token");
  assert.equal((await operate("erase", { email })).status, 404, "there is nobody any more");
  const again = await new Browser(postern).signIn(email);
  await again.open("/account");
  assert.equal(await signedIn(again), email);
  assert.ok(!again.html.includes(agent.registration_id) && !again.html.includes("Forgotten Fred"));
  assert.ok(!/You approved an agent/.test(again.html), "nothing of the past is there");
  assert.equal(forms(again.html)["/account/agents/revoke"], undefined);
  assert.equal(await call(postern.issuer, agent.got.access_token), 401);
});

test("what is erased is not on the disk any more in the account's tables (issue 1)", async () => {
  const live = await deploy();
  try {
    const email = "not-on-disk@example.com";
    const browser = await new Browser(live).signIn(email);
    await browser.open("/account");
    const key = { authorization: `Bearer ${OPERATOR_KEY}` };
    await ok(live.json("/operator/people/erase", { email }, key));
    await live.restart();
    for (const file of readdirSync(live.folder, { recursive: true }).filter((name) => /Account.*[0-9a-f]{64}\.sqlite$/.test(name))) {
      const database = new DatabaseSync(`${live.folder}/${file}`, { readOnly: true });
      const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'").all();
      for (const { name } of tables) assert.ok(!JSON.stringify(database.prepare(`SELECT * FROM ${name}`).all()).includes(email), name);
      database.close();
    }
  } finally {
    await live.stop();
  }
});
