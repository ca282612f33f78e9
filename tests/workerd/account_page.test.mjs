// /account: what a person sees of their agents, sessions and past, and what they can end.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { JWT_BEARER, call, exchange, registerKey, until } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { attemptToken, start } from "./support/claim.mjs";
import { claimed } from "./support/claimed.mjs";
import { deploy } from "./support/postern.mjs";
import { Browser, codeOn, forms, newestMail } from "./support/person.mjs";
import { local } from "./support/production.mjs";

let postern;
before(async () => (postern = await deploy({ isolates: 2, vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000", MAILS_PER_HOUR: "100000", MAILS_PER_NETWORK_PER_HOUR: "1000" } })));
after(() => postern.stop());

const signIn = (email) => new Browser(postern).signIn(email);
const text = (html) => html.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
/** The entry of one agent, as a person reads it. */
const entry = (browser, id) => text(browser.html.split(/<li\b/).find((item) => item.includes(id)) ?? "");

test("an account without anything says so, and invites (issue 1)", async () => {
  const browser = await (await signIn("empty@example.com")).open("/account");
  assert.equal(browser.status, 200);
  for (const heading of ["Agents that act for you", "Passkeys", "Where you are signed in", "What happened"]) assert.ok(browser.html.includes(heading), heading);
  assert.match(text(browser.html), /None\. When you allow an agent/);
  assert.match(text(browser.html), /You have none yet/);
  assert.deepEqual(Object.keys(forms(browser.html)), ["/logout"], "nothing is offered that cannot be done");
});

test("an agent is listed with its name, its kind, its scopes, when it was allowed and last used (issue 1)", async () => {
  const email = "lists@example.com";
  const browser = await signIn(email);
  const agent = await claimed(postern, browser, email, { agent: "Claudia 2.1" });
  const today = new Date().toISOString().slice(0, 10);
  const shown = () => entry(browser, agent.registration_id);
  assert.match(shown(), /“ ?Claudia 2\.1 ?” \(its own words\)/);
  assert.match(shown(), /Registered by itself/);
  assert.match(shown(), /May: api\.read, api\.write/);
  assert.ok(shown().includes(`Allowed ${today}`), shown());
  await exchange(postern, agent.got.identity_assertion);
  await until(async () => (await browser.open("/account")) && shown().includes(`last used ${today}`));
  const hinted = await ok(postern.json("/agent/identity", { type: "service_auth", login_hint: email }));
  await browser.open(`/claim?claim_attempt_token=${attemptToken(hinted.claim.attempt.verification_uri)}`);
  await browser.submit("/agent/identity/claim/complete", { user_code: hinted.claim.user_code });
  await until(async () => (await browser.open("/account")).html.includes(hinted.registration_id));
  assert.match(entry(browser, hinted.registration_id), /Agent without a name .*Asked for you by your address .*never used/);
});

test("what an agent calls itself is cleaned, escaped and quoted (153, 74, issue 1)", async () => {
  const email = "names@example.com";
  const browser = await signIn(email);
  const names = ["<script>alert(1)</script>", "\u202eevil\u2066x\u2069\u200b", "\"'><img src=x onerror=alert(1)>", "a\r\nb\u0000\u0007c", "x".repeat(5000), "{{7*7}} & co"];
  for (const name of names) {
    const agent = await ok(postern.json("/agent/identity", { type: "anonymous", agent: name }));
    const { body } = await start(postern, { type: "login_hint", claim_token: agent.claim_token, login_hint: email });
    await browser.open(`/claim?claim_attempt_token=${attemptToken(body.claim_attempt.verification_uri)}`);
    assert.match(text(browser.html), /its own words, unchecked/, "the page of the claim marks it");
    const pages = [browser.html];
    await browser.submit("/agent/identity/claim/complete", { user_code: body.claim_attempt.user_code });
    await until(async () => (await browser.open("/account")).html.includes(agent.registration_id));
    pages.push(browser.html);
    for (const html of pages) {
      assert.ok(!/<script>alert|<img src=x|onerror=alert\(1\)>(?!&)/.test(html.replace(/&[^;]*;/g, "")), name);
      assert.ok(!/[\u202a-\u202e\u2066-\u2069\u200b\u0000\u0007]/.test(html), JSON.stringify(name));
      assert.ok(!html.includes("x".repeat(201)), "and its length has an end");
      assert.match(html, /“<bdi>[^<]*<\/bdi>”/);
    }
  }
});

test("one agent is revoked: what it has is dead within the bound, the others go on (issue 1, 108, 109)", async () => {
  const email = "revoke@example.com";
  const browser = await signIn(email);
  const [out, stays] = [await claimed(postern, browser, email), await claimed(postern, browser, email)];
  assert.equal(await call(postern.issuer, out.got.access_token), 200);
  const index = forms(browser.html)["/account/agents/revoke"].findIndex(({ registration }) => registration === out.registration_id);
  await browser.submit("/account/agents/revoke", {}, { index });
  assert.match(browser.html, /The agent is revoked/);
  assert.equal(await call(postern.issuer, out.got.access_token), 401);
  await until(async () => (await call(await postern.second(), out.got.access_token)) === 401, 3000);
  assert.equal((await read(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: out.got.identity_assertion }))).body.error, "invalid_grant");
  const refresh = out.got.identity?.refresh_token?.value;
  assert.ok(refresh);
  assert.equal((await read(postern.json("/agent/identity", { type: "refresh", refresh_token: refresh }))).body.error, "invalid_refresh_token");
  assert.equal(await call(postern.issuer, stays.got.access_token), 200);
  await until(async () => /ended/.test(entry(await browser.open("/account"), out.registration_id)));
  assert.ok(!forms(browser.html)["/account/agents/revoke"].some(({ registration }) => registration === out.registration_id), "it cannot be ended twice");
  assert.ok(text(browser.html).includes(`You ended an agent ${out.registration_id}`), "what happened names the agent");
});

test("all agents are revoked at once, API keys too, also those that are not on the page (issue 1)", async () => {
  const email = "all@example.com";
  const browser = await signIn(email);
  const agents = [];
  for (let count = 0; count < 22; count += 1) agents.push(await claimed(postern, browser, email));
  const key = await registerKey(postern);
  await ok(postern.json("/agent/auth/claim", { claim_token: key.claim_token, email }));
  await browser.open(local((await newestMail(postern, email)).links[0]));
  await browser.submit("/claim/code");
  const done = await ok(postern.json("/agent/auth/claim/complete", { claim_token: key.claim_token, otp: codeOn(browser.html) }));
  assert.equal(await call(postern.issuer, done.credential), 200);
  const all = [];
  await until(async () => /More agents/.test((await browser.open("/account")).html));
  for (let path = "/account"; path; path = /href="(\/account\?agents=[^"]*)"/.exec(browser.html)?.[1]) {
    await browser.open(path);
    all.push(...forms(browser.html)["/account/agents/revoke"].map(({ registration }) => registration));
  }
  assert.deepEqual([...new Set(all)].length, 23, "two pages list each of them once");
  assert.equal(all.length, 23);
  await browser.open("/account");
  await browser.submit("/account/agents/revoke-all");
  assert.match(browser.html, /All agents are revoked/);
  for (const { got } of agents) assert.equal(await call(postern.issuer, got.access_token), 401);
  assert.equal(await call(postern.issuer, done.credential), 401);
  await until(async () => forms((await browser.open("/account")).html)["/account/agents/revoke"] === undefined);
});

test("nobody sees or revokes another person's agent, and an unknown one is answered the same (113, 114)", async () => {
  const owner = await signIn("keeps@example.com");
  const agent = await claimed(postern, owner, "keeps@example.com");
  const unclaimed = await ok(postern.json("/agent/identity", { type: "anonymous" }));
  const thief = await signIn("takes@example.com");
  await thief.open("/account");
  assert.ok(!thief.html.includes(agent.registration_id));
  const { csrf } = forms(thief.html)["/logout"][0];
  const answers = [];
  for (const registration of [agent.registration_id, unclaimed.registration_id, `${agent.registration_id.slice(0, -4)}AAAA`]) {
    await thief.post("/account/agents/revoke", { csrf, registration });
    answers.push(`${thief.status} ${text(thief.html)}`);
  }
  assert.equal(new Set(answers).size, 1, answers.join("\n"));
  assert.ok(answers[0].startsWith("404"));
  for (const registration of ["", "x", "../x", agent.registration_id.toUpperCase()]) {
    await thief.post("/account/agents/revoke", { csrf, registration });
    assert.equal(thief.status, 404, registration);
  }
  await thief.post("/account/agents/revoke-all", { csrf });
  await thief.send(`/account?agents=${agent.registration_id}`);
  assert.ok(!thief.html.includes(agent.registration_id));
  assert.equal(await call(postern.issuer, agent.got.access_token), 200);
});

test("without a session nothing is ended, and the page says to sign in (issue 1)", async () => {
  const browser = await new Browser(postern).open("/login");
  const { csrf } = forms(browser.html)["/login"][0];
  for (const path of ["/account/agents/revoke", "/account/agents/revoke-all", "/account/passkeys/remove", "/account/sessions/end", "/account/sessions/end-others"]) {
    await browser.post(path, { csrf, registration: "x" });
    assert.equal(browser.status, 401, path);
    assert.match(browser.html, /You are signed out/);
    assert.match(browser.html, /href="\/login"/);
  }
});

test("what happened is listed, newest first, and no event is lost between pages (146, 147)", async () => {
  const email = "events@example.com";
  const browser = await signIn(email);
  const agent = await claimed(postern, browser, email, { agent: "Noted" });
  for (let turn = 0; turn < 12; turn += 1) {
    const other = await signIn(email);
    await other.open("/account");
    await other.submit("/logout");
  }
  const index = forms((await browser.open("/account")).html)["/account/agents/revoke"].findIndex(({ registration }) => registration === agent.registration_id);
  await browser.submit("/account/agents/revoke", {}, { index });
  await until(async () => text((await browser.open("/account")).html).includes("You ended an agent"));
  const events = [];
  for (let path = "/account"; path; path = /href="(\/account\?events=[^"]*)"/.exec(browser.html)?.[1]) {
    await browser.open(path);
    const [, log] = /<ol class="card rows log"[^>]*>(.*?)<\/ol>/s.exec(browser.html);
    events.push(...log.split("<li>").slice(1).map((item) => text(item).trim()));
  }
  const count = (words) => events.filter((event) => event.includes(words)).length;
  assert.deepEqual([count("Signed in"), count("Signed out"), count("You approved an agent"), count("You ended an agent")], [13, 12, 1, 1], events.join("\n"));
  assert.ok(events.every((event) => /^\d{4}-\d\d-\d\d \d\d:\d\d UTC/.test(event)));
  for (const query of ["events=0", "events=-1", "events=x", "events=99999999999999999999", "agents=x", "agents=", "done=<script>", "done=agent&done=x"]) {
    await browser.send(`/account?${query}`);
    assert.ok([200, 400].includes(browser.status), query);
    assert.ok(!browser.html.includes("<script>"), query);
  }
});
