// Registration with a provider's word, for people who are new here: the shapes of all dialects, and what happens only once.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange } from "./support/agent.mjs";
import { ok, read } from "./support/answers.mjs";
import { Browser } from "./support/person.mjs";
import { ROUNDS, address, deploy } from "./support/postern.mjs";
import { provide, trusting } from "./support/provider.mjs";
import { people as peopleOf } from "./support/storage.mjs";
import { admitted, asked, present, presentV01, refusedWith, straight } from "./support/vouched.mjs";

let postern, provider, other, second;
before(async () => {
  [provider, other] = [await provide(), await provide({ name: "Other Agents" })];
  postern = await deploy({ isolates: 2, vars: { ...trusting(provider, other), MAILS_PER_HOUR: "100000" } });
  second = await postern.second();
});
after(() => Promise.all([postern.stop(), provider.stop(), other.stop()]));

const person = () => ({ sub: randomUUID(), email: `${randomUUID()}@example.com` });
const idJag = (who, from = provider) => from.idJag(postern, who);
/** How many people there are. */
const people = async () => peopleOf(postern);
const there = (ip = address()) => ({ base: second, headers: { "cf-connecting-ip": ip } });

describe("the answer", () => {
  test("says the same flat and nested, and is good for a token at once (8)", async () => {
    const who = person();
    const got = await present(postern, idJag(who));
    assert.equal(got.status, 200, got.text);
    const { body } = got;
    assert.equal(body.registration_id, body.id);
    assert.match(body.id, /^reg_[0-9A-Za-z]{22}$/);
    assert.deepEqual([body.registration_type, body.type], ["identity_assertion", "identity_assertion"]);
    assert.deepEqual(body.identity, { assertion: body.identity_assertion, expires_at: body.assertion_expires });
    assert.match(body.assertion_expires, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(body.scopes, ["api.read", "api.write"]);
    for (const name of ["claim", "claim_token", "claim_url", "claim_token_expires", "pre_claim_scopes", "post_claim_scopes", "access_token", "refresh_token", "error", "credential", "email"]) assert.equal(body[name], undefined, name);
    assert.equal(body.identity.refresh_token, undefined);
    assert.ok(!got.text.includes(who.email) && !got.text.includes(who.sub));
    assert.equal(got.headers.get("cache-control"), "no-store");
    assert.equal(got.headers.get("www-authenticate"), null);
    const token = await exchange(postern, body.identity.assertion);
    assert.deepEqual([token.token_type, token.scope, typeof token.expires_in, token.refresh_token], ["Bearer", "api.read api.write", "number", undefined]);
    assert.equal(claims(token.access_token).sub, body.id);
    assert.equal(await call(postern.issuer, token.access_token), 200);
    // Its own type, not that of the provider.
    assert.equal(JSON.parse(Buffer.from(body.identity_assertion.split(".")[0], "base64url")).typ, "agent-identity+jwt");
  });

  test("is the same registration whenever the same subject comes, and another for everybody else (46)", async () => {
    const who = person();
    const first = await admitted(postern, idJag(who));
    const again = await admitted(postern, idJag({ ...who, email: `${randomUUID()}@example.com` }), there());
    assert.equal(again.id, first.id);
    await exchange(postern, first.identity_assertion);
    await exchange(postern, again.identity_assertion);
    const others = [await admitted(postern, idJag(person())), await admitted(postern, idJag({ ...person(), sub: who.sub }, other)), await admitted(postern, idJag({ ...person(), sub: `${who.sub} ` })), await admitted(postern, idJag({ ...person(), sub: who.sub.toUpperCase() }))];
    assert.equal(new Set([first.id, ...others.map(({ id }) => id)]).size, 5);
    assert.ok(!first.id.includes(who.sub));
  });

  test("can be asked for with identity_type, and unknown members are ignored (17)", async () => {
    const body = { identity_type: "identity_assertion", assertion_type: "urn:ietf:params:oauth:token-type:id-jag", requested_credential_type: "api_key", more: { a: [1] } };
    const got = await ok(postern.json("/agent/identity", { ...body, assertion: idJag(person()) }));
    assert.equal(got.type, "identity_assertion");
    assert.equal(got.credential, undefined, "no API key at this path");
    for (const assertion_type of [undefined, "", "id-jag", "urn:ietf:params:oauth:token-type:jwt", 5, ["urn:ietf:params:oauth:token-type:id-jag"]]) {
      await refusedWith(read(postern.json("/agent/identity", { type: "identity_assertion", assertion_type, assertion: idJag(person()) })), 400, "invalid_request");
    }
  });

  test("shows up on the account of the person, with the provider's name in our words (39)", async () => {
    const who = person();
    const agent = await admitted(postern, idJag({ ...who, name: "<b>Mallory</b>", agent_platform: "Bobs <i>Bot</i> \u202egnp" }));
    const browser = await new Browser(postern).signIn(who.email);
    await browser.open("/account");
    assert.ok(browser.html.includes(agent.id), browser.html);
    assert.ok(browser.html.includes("Example Agents") || browser.html.includes(provider.issuer));
    for (const raw of ["<b>Mallory", "<i>Bot", "\u202e"]) assert.ok(!browser.html.includes(raw));
  });
});

describe("auth.md v0.1", () => {
  test("gives an API key in its own words (74)", async () => {
    for (const path of ["/agent/auth", "/api/agent/auth"]) {
      const { status, body, text } = await presentV01(postern, idJag(person()), "api_key", path);
      assert.equal(status, 200, text);
      assert.deepEqual(Object.keys(body).sort(), ["credential", "credential_expires", "credential_type", "registration_id", "registration_type", "scopes"]);
      assert.deepEqual([body.registration_type, body.credential_type, body.credential_expires, body.scopes], ["agent-provider", "api_key", null, ["api.read", "api.write"]]);
      assert.equal(await call(postern.issuer, body.credential), 200);
      const token = await ok(postern.form("/oauth2/token", { grant_type: "client_credentials", client_secret: body.credential }));
      assert.deepEqual([token.scope, token.refresh_token], ["api.read api.write", undefined]);
    }
  });

  test("gives an access token, never with a refresh token (45)", async () => {
    const { status, body, text } = await presentV01(postern, idJag(person()), "access_token");
    assert.equal(status, 200, text);
    assert.equal(body.credential_type, "access_token");
    assert.ok(Date.parse(body.credential_expires) > Date.now());
    assert.equal(await call(postern.issuer, body.credential), 200);
    assert.ok(!/refresh|art_/.test(text));
  });

  test("wants to know which; a refusal is in its own words and uses nothing up", async () => {
    const token = idJag(person());
    for (const wanted of [undefined, "", "password", null]) assert.equal((await presentV01(postern, token, wanted)).status, 400);
    assert.equal((await presentV01(postern, token, "api_key")).status, 200);
    const replay = await refusedWith(presentV01(postern, token, "api_key"), 400, "replay_detected");
    assert.ok(replay.body.message.length > 5);
  });

  test("shares the registration with the newer dialects", async () => {
    const who = person();
    const { body } = await presentV01(postern, idJag(who), "api_key");
    assert.equal((await admitted(postern, idJag(who))).id, body.registration_id);
    assert.equal(await call(postern.issuer, body.credential), 200, "a new assertion ends nothing");
  });
});

describe("only once", () => {
  test("an assertion shown a hundred times at once, at two isolates and three endpoints, is used once (25, 65)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const who = person();
      await admitted(postern, idJag(who));
      const token = idJag(who);
      const ways = [() => present(postern, token), () => present(postern, token, there()), () => straight(postern, token), () => presentV01(postern, token, "api_key")];
      const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ways[index % 4]()));
      const won = answers.filter(({ status }) => status === 200);
      assert.equal(won.length, 1, `round ${round}: ${answers.map(({ status, body }) => `${status} ${body?.error ?? ""}`)}`);
      for (const { status, body } of answers) if (status !== 200) assert.ok(status === 400 && ["replay_detected", "invalid_grant"].includes(body.error), `${status} ${body?.error}`);
      await refusedWith(present(postern, token), 400, "replay_detected");
    }
  });

  test("somebody new who comes many times at once becomes one person, with one registration (47)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const who = person();
      const before = await people();
      const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => present(postern, idJag(who), index % 2 ? there() : {})));
      for (const { status, text } of answers) assert.equal(status, 200, text);
      assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
      assert.equal(await people(), before + 1);
      for (const { body } of answers) assert.equal(await call(postern.issuer, (await exchange(postern, body.identity_assertion)).access_token), 200, "all of them count");
      await admitted(postern, idJag(who));
    }
  });

  test("the first of an assertion shown many times at once makes one person (25, 47)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const [token, before] = [idJag(person()), await people()];
      const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => present(postern, token, index % 2 ? there() : {})));
      assert.equal(answers.filter(({ status }) => status === 200).length, 1, answers.map(({ status, body }) => `${status} ${body?.error ?? ""}`).join());
      assert.equal(await people(), before + 1);
    }
  });

  test("two providers that bring one new person at once: one of them is asked to confirm (40, 47)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const who = person();
      const [one, two] = await Promise.all([present(postern, idJag(who)), present(postern, idJag({ ...who, sub: randomUUID() }, other), there())]);
      assert.deepEqual([one.status, two.status].sort(), [200, 401], `${one.text} ${two.text}`);
      assert.notEqual((one.body ?? {}).id, (two.body ?? {}).id);
    }
  });

  test("another subject of one provider with the same address is asked too (39)", async () => {
    const who = person();
    await admitted(postern, idJag(who));
    await asked(postern, idJag({ ...who, sub: randomUUID() }));
    await asked(postern, idJag({ sub: randomUUID(), email: who.email.toUpperCase() }));
    await admitted(postern, idJag({ sub: randomUUID(), email: who.email.replace("@", "+tag@") }));
  });
});

describe("limits", () => {
  test("one network may bring sixty an hour, and no more; a refusal uses nothing up", async () => {
    const headers = { "cf-connecting-ip": "198.51.100.77" };
    const answers = [];
    for (let batch = 0; batch < 6; batch += 1) answers.push(...(await Promise.all(Array.from({ length: 10 }, () => present(postern, idJag(person()), { headers })))));
    assert.ok(answers.every(({ status }) => status === 200), answers.map(({ status }) => status).join());
    const token = idJag(person());
    const got = await refusedWith(present(postern, token, { headers }), 429, "rate_limited");
    assert.equal(Number(got.headers.get("retry-after")), got.body.retry_after);
    await admitted(postern, token);
  });
});
