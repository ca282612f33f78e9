// Nothing that was issued before a claim works after it, wherever it is asked, and everything says so.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { inflateSync } from "node:zlib";
import { call, claims, exchange, keyToken, register, sleep, until } from "./support/agent.mjs";
import { bearer, read } from "./support/answers.mjs";
import { at, claimed, introspect, me, operate, press, reading, refresh, trade, typing } from "./support/consent.mjs";
import { complete, poll } from "./support/claim.mjs";
import { altered, ownKey } from "./support/forge.mjs";
import { deploy } from "./support/postern.mjs";
import { finish, shown } from "./support/v01.mjs";

const TYPED = "/agent/identity/claim/complete";
let postern, second;
before(async () => {
  postern = await deploy({ isolates: 2 });
  second = at(await postern.second());
});
after(() => postern.stop());

const both = () => [postern, second];
const felt = () => sleep(1030);

/** How the status list has a token: 0 if it lives, 1 if it is marked. */
async function mark(token) {
  const { idx, uri } = claims(token).status.status_list;
  const list = await (await fetch(uri, { headers: { accept: "application/statuslist+jwt" } })).text();
  const octets = inflateSync(Buffer.from(claims(list).status_list.lst, "base64url"));
  return (octets[idx >> 3] >> (idx & 7)) & 1;
}

describe("what an agent held before its person approved", () => {
  test("works before, and is dead after: tokens and assertion, in both workers (50, C9)", async () => {
    const asked = await typing(postern, "generation@example.com");
    const early = [];
    for (const from of [postern, second, postern]) early.push((await trade(from, asked.agent.identity_assertion)).body.access_token);
    for (const { issuer } of both()) for (const token of early) assert.equal(await call(issuer, token), 200);
    await press(asked.person, TYPED, { user_code: asked.user_code });
    for (const token of early) assert.equal(await call(postern.issuer, token), 401, "at once where it was approved");
    for (const from of both()) assert.equal((await trade(from, asked.agent.identity_assertion)).body.error, "invalid_grant", "the cell itself is asked");
    await felt();
    for (const from of both()) {
      for (const token of early) {
        assert.equal(await call(from.issuer, token), 401);
        assert.deepEqual(await introspect(from, token), { active: false });
        assert.equal((await read(from.form("/oauth2/introspect", { token }, bearer(token)))).status, 401, "it cannot even ask about itself");
      }
      assert.equal((await read(from.json("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "whoami", arguments: {} } }, bearer(early[0])))).status, 401);
    }
    const { body } = await poll(second, asked.token);
    for (const { issuer } of both()) assert.equal(await call(issuer, body.access_token), 200, "and what the claim brings works in both at once");
  });

  test("is dead although its bearer gives it back, and giving it back ends nothing of the owner's (C9)", async () => {
    const asked = await typing(postern, "given-back@example.com");
    const early = (await exchange(postern, asked.agent.identity_assertion)).access_token;
    await press(asked.person, TYPED, { user_code: asked.user_code });
    const { body } = await poll(postern, asked.token);
    for (const token of [early, asked.agent.identity_assertion]) assert.equal((await read(postern.form("/oauth2/revoke", { token }))).status, 200);
    assert.equal(await call(postern.issuer, body.access_token), 200);
    assert.equal((await trade(postern, body.identity_assertion)).status, 200);
    assert.equal((await refresh(postern, body.identity.refresh_token.value)).status, 200);
  });

  test("is dead in every generation but the present one, even if our own key signed it (C9)", async () => {
    const { given } = await claimed(postern, "numbers@example.com");
    const { seal } = await ownKey(postern);
    assert.equal(claims(given.identity_assertion).generation, 1);
    for (const generation of [0, 2, 3, 4294967295, -1, "1", null, undefined]) {
      const other = altered(given.identity_assertion, { claims: { generation } }, seal);
      assert.equal((await trade(postern, other)).body.error, "invalid_grant", `${generation}`);
      assert.equal(await call(postern.issuer, altered(given.access_token, { claims: { generation } }, seal)), 401, `${generation}`);
    }
    assert.equal((await trade(postern, altered(given.identity_assertion, {}, seal))).status, 200);
  });

  test("an old key of v0.1 keeps its old rights alone, in both workers, and its tokens are over (75, C8)", async () => {
    const { agent, token, otp } = await shown(postern, "old-rights@example.com");
    const early = (await keyToken(postern, agent.credential)).access_token;
    for (const { issuer } of both()) assert.deepEqual([await call(issuer, early), await call(issuer, agent.credential)], [200, 200]);
    const { credential } = (await finish(postern, token, otp)).body;
    await felt();
    for (const from of both()) {
      assert.equal(await call(from.issuer, early), 401);
      const old = (await me(from, agent.credential)).body;
      assert.deepEqual([old.scopes, old.claimed], [["api.read"], true]);
      assert.ok(Date.parse(old.expires_at) - Date.now() <= 600_000);
      assert.equal((await introspect(from, agent.credential)).scope, "api.read");
      assert.deepEqual((await me(from, credential)).body.scopes, ["api.read", "api.write"]);
      const wide = await read(from.form("/oauth2/token", { grant_type: "client_credentials", client_secret: agent.credential, scope: "api.read api.write" }));
      assert.equal(wide.body.error, "invalid_scope");
    }
  });

  test("is marked in the status list within a minute, and what the claim brought is not (C9)", async () => {
    const asked = await typing(postern, "marked@example.com");
    const early = [(await exchange(postern, asked.agent.identity_assertion)).access_token, (await trade(second, asked.agent.identity_assertion)).body.access_token];
    const { agent, token, otp } = await shown(postern, "marked@example.com");
    early.push((await keyToken(postern, agent.credential)).access_token);
    const other = (await exchange(postern, (await register(postern)).identity_assertion)).access_token;
    assert.deepEqual(await Promise.all(early.map(mark)), [0, 0, 0]);
    await press(asked.person, TYPED, { user_code: asked.user_code });
    const [{ body }, { body: done }] = [await poll(postern, asked.token), await finish(postern, token, otp)];
    const late = [body.access_token, (await exchange(postern, body.identity_assertion)).access_token, (await keyToken(postern, done.credential)).access_token];
    await until(async () => (await Promise.all(early.map(mark))).every((bit) => bit === 1), 65_000, 500);
    assert.deepEqual(await Promise.all([...late, other].map(mark)), [0, 0, 0, 0]);
    await operate(postern, "registrations/revoke", { registration_id: asked.id });
    await until(async () => (await mark(late[0])) === 1 && (await mark(late[1])) === 1, 65_000, 500);
    assert.equal(await mark(late[2]), 0);
  });
});

describe("who asks is told the truth", () => {
  test("by /api/v1/auth/me, before, during and after (50)", async () => {
    const asked = await typing(postern, "truth@example.com");
    const early = (await exchange(postern, asked.agent.identity_assertion)).access_token;
    const look = async (token) => {
      const { status, claimed, scopes, registration_id, registration_type, registration_expires } = (await me(postern, token)).body;
      return { status, claimed, scopes, registration_id, registration_type, dies: registration_expires !== null };
    };
    const who = { registration_id: asked.id, registration_type: "anonymous" };
    assert.deepEqual(await look(early), { ...who, status: "unclaimed", claimed: false, scopes: ["api.read"], dies: true });
    assert.equal((await poll(postern, asked.token)).body.error, "authorization_pending");
    assert.deepEqual(await look(early), { ...who, status: "unclaimed", claimed: false, scopes: ["api.read"], dies: true });
    await press(asked.person, TYPED, { user_code: asked.user_code });
    const { body } = await poll(postern, asked.token);
    assert.deepEqual(await look(body.access_token), { ...who, status: "claimed", claimed: true, scopes: ["api.read", "api.write"], dies: false });
    const narrow = await read(postern.form("/oauth2/token", { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: body.identity_assertion, scope: "api.read" }));
    assert.deepEqual((await look(narrow.body.access_token)).scopes, ["api.read"], "as narrow as it was asked for");
    await operate(postern, "registrations/revoke", { registration_id: asked.id });
    assert.deepEqual([(await me(postern, body.access_token)).status, (await me(postern, early)).status], [401, 401]);
  });

  test("by introspection, of what was asked for by address too (50)", async () => {
    const asked = await reading(postern, "truth-too@example.com");
    const { body } = await complete(postern, asked.token, asked.code);
    const token = (await exchange(postern, body.identity.assertion)).access_token;
    const known = await introspect(second, token);
    assert.deepEqual([known.active, known.scope, known.sub, known.client_id, known.token_use, known.exp], [true, "api.read api.write", asked.id, asked.id, "access_token", claims(token).exp]);
    assert.deepEqual(await introspect(postern, body.identity.assertion), { active: false }, "an assertion opens no API");
    assert.deepEqual(await introspect(postern, body.identity.refresh_token.value), { active: false });
    assert.deepEqual(await introspect(postern, asked.token), { active: false });
    assert.equal((await me(postern, token)).body.registration_type, "service_auth");
    for (const secret of [body.identity.assertion, body.identity.refresh_token.value, asked.token]) assert.equal((await me(postern, secret)).status, 401);
  });
});

describe("giving things back (103, 104)", () => {
  test("an access token ends alone, an assertion ends the agent, and its owner sees it (103)", async () => {
    const { given, person, id } = await claimed(postern, "gives-back@example.com");
    const more = (await exchange(postern, given.identity_assertion)).access_token;
    for (let time = 0; time < 2; time += 1) await read(postern.form("/oauth2/revoke", { token: given.access_token }));
    assert.deepEqual([await call(postern.issuer, given.access_token), await call(postern.issuer, more)], [401, 200]);
    await read(postern.form("/oauth2/revoke", { token: given.identity_assertion }));
    assert.deepEqual([await call(postern.issuer, more), (await refresh(postern, given.identity.refresh_token.value)).status], [401, 400]);
    await until(async () => {
      await person.open("/account");
      return person.html.includes(id) && /agent (ended itself|was revoked)/.test(person.html);
    });
  });

  test("a refresh token ends its family and the access tokens with it (103)", async () => {
    const { given, spare } = await claimed(postern, "gives-spare@example.com");
    const other = await claimed(postern, "gives-spare-2@example.com");
    const got = await read(postern.form("/oauth2/revoke", { token: spare, token_type_hint: "refresh_token" }));
    assert.deepEqual([got.status, got.text], [200, ""]);
    assert.equal((await refresh(postern, spare)).body?.error, "invalid_refresh_token");
    assert.equal(await call(postern.issuer, given.access_token), 401);
    assert.equal((await refresh(postern, other.spare)).status, 200);
  });

  test("what is not genuine ends nothing and is told nothing (104)", async () => {
    const { given, spare } = await claimed(postern, "forged-back@example.com");
    const unsigned = (token) => altered(token, { header: { alg: "none" } }, () => "");
    const cut = (token) => `${token.slice(0, -1)}${token.endsWith("0") ? "1" : "0"}`;
    for (const token of [unsigned(given.access_token), unsigned(given.identity_assertion), cut(spare), `${spare}0`, given.registration_id]) {
      assert.deepEqual(await read(postern.form("/oauth2/revoke", { token })).then(({ status, text }) => [status, text]), [200, ""]);
      assert.deepEqual(await introspect(postern, token), { active: false });
    }
    assert.equal(await call(postern.issuer, given.access_token), 200);
    assert.equal((await refresh(postern, spare)).status, 200);
  });
});
