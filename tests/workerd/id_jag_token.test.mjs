// An ID-JAG straight at the token endpoint: MCP's Enterprise-Managed Authorization.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { JWT_BEARER, call, claims } from "./support/agent.mjs";
import { basic, read, refused } from "./support/answers.mjs";
import { Browser } from "./support/person.mjs";
import { ROUNDS, deploy } from "./support/postern.mjs";
import { provide, seconds, trusting } from "./support/provider.mjs";
import { admitted, asked, confirmTyped, present, refusedWith, straight } from "./support/vouched.mjs";

const SHOP = "https://shop.example/v1";
const NARROW = "https://narrow.example/v1";
let postern, provider, other, second;
before(async () => {
  [provider, other] = [await provide(), await provide({ name: "Other Agents" })];
  const vars = { SCOPES_SUPPORTED: "api.read api.write shop.buy", POST_CLAIM_SCOPES: "api.read api.write shop.buy", RESOURCES: JSON.stringify([{ uri: SHOP, alternates: ["https://www.shop.example/v1"] }, { uri: NARROW, scopes: ["shop.buy"] }]) };
  postern = await deploy({ isolates: 2, vars: { ...trusting(provider, other), ...vars } });
  second = await postern.second();
});
after(() => Promise.all([postern.stop(), provider.stop(), other.stop()]));

const person = () => ({ sub: randomUUID(), email: `${randomUUID()}@example.com` });
const idJag = (changes = {}, from = provider) => from.idJag(postern, { ...person(), ...changes });
const refuse = (assertion, error, extra = {}) => refused(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion, ...extra }), 400, error, JSON.stringify(extra));
async function given(assertion, extra) {
  const got = await straight(postern, assertion, extra);
  assert.equal(got.status, 200, `${JSON.stringify(extra)} ${got.text}`);
  return got.body;
}

describe("a token", () => {
  test("for somebody new or known, never with a refresh token (45, 86)", async () => {
    const who = person();
    for (let again = 0; again < 2; again += 1) {
      const got = await straight(postern, idJag(who));
      assert.equal(got.status, 200, got.text);
      assert.deepEqual(Object.keys(got.body).sort(), ["access_token", "expires_in", "scope", "token_type"]);
      assert.deepEqual([got.body.token_type, typeof got.body.expires_in], ["Bearer", "number"]);
      assert.equal(got.headers.get("cache-control"), "no-store");
      assert.equal(await call(postern.issuer, got.body.access_token), 200);
      assert.equal(claims(got.body.access_token).sub, (await admitted(postern, idJag(who))).id, "the same registration as at the identity endpoint");
    }
  });

  test("is restricted to the resource that is asked for (67)", async () => {
    for (const [resource, aud] of [[undefined, `${postern.issuer}/mcp`], [SHOP, SHOP], [`${postern.issuer}/api/v1`, `${postern.issuer}/api/v1`]]) {
      const { access_token } = await given(idJag(), resource ? { resource } : {});
      assert.equal(claims(access_token).aud, aud);
    }
    const token = idJag();
    for (const resource of ["https://other.example", `${SHOP}/items`, "x", `${SHOP}#f`]) await refuse(token, "invalid_target", { resource });
    const two = `grant_type=${encodeURIComponent(JWT_BEARER)}&assertion=${token}&resource=${encodeURIComponent(SHOP)}&resource=${encodeURIComponent(`${postern.issuer}/mcp`)}`;
    const got = await read(fetch(`${postern.issuer}/oauth2/token`, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: two }));
    assert.equal(got.status, 400);
    assert.ok(["invalid_target", "invalid_request"].includes(got.body.error), got.text);
    await given(token);
  });

  test("is restricted to the resource that the assertion names, which must be one of ours (mcp 1.7)", async () => {
    assert.equal(claims((await given(idJag({ resource: SHOP }), { resource: SHOP })).access_token).aud, SHOP);
    assert.equal(claims((await given(idJag({ resource: `${postern.issuer}/mcp` }))).access_token).aud, `${postern.issuer}/mcp`);
    for (const resource of ["https://other.example", "", "x", 5, null, {}, [], [SHOP, NARROW], [5]]) await refuse(idJag({ resource }), "invalid_grant");
    await refuse(idJag({ resource: SHOP }), "invalid_grant", { resource: `${postern.issuer}/mcp` });
    await refuse(idJag({ resource: `${postern.issuer}/mcp` }), "invalid_grant", { resource: SHOP });
  });

  test("has the resource of the assertion where the request names none (mcp 1.7)", async () => {
    for (const [resource, aud] of [[SHOP, SHOP], [[SHOP], SHOP], ["https://www.shop.example/v1", SHOP], [`${postern.issuer}/api/v1`, `${postern.issuer}/api/v1`]]) {
      assert.equal(claims((await given(idJag({ resource }))).access_token).aud, aud);
    }
  });

  test("carries no more scope than the assertion, the registration and the resource have in common (84)", async () => {
    const scopes = async (claim, extra) => (await given(idJag(claim), extra)).scope.split(" ").sort().join(" ");
    assert.equal(await scopes({}), "api.read api.write shop.buy");
    assert.equal(await scopes({ scope: "api.read" }), "api.read");
    assert.equal(await scopes({ scope: "api.read files.read admin" }), "api.read");
    assert.equal(await scopes({ scope: "api.read api.write" }, { scope: "api.read" }), "api.read");
    assert.equal(await scopes({}, { resource: NARROW }), "shop.buy");
    assert.equal(await scopes({ scope: "shop.buy api.read" }, { resource: NARROW }), "shop.buy");
    await refuse(idJag({ scope: "admin" }), "invalid_scope");
    await refuse(idJag({ scope: "api.read" }), "invalid_scope", { resource: NARROW });
    await refuse(idJag({ scope: "api.read" }), "invalid_scope", { scope: "api.write" });
    await refuse(idJag(), "invalid_scope", { scope: "admin" });
    for (const scope of [5, null, ["api.read"], 'api."read']) {
      const got = await straight(postern, idJag({ scope }));
      assert.equal(got.status, 400, `${JSON.stringify(scope)} ${got.text}`);
    }
    // The restriction is the token's own: the registration goes on with all that it has.
    const who = person();
    await given(idJag({ ...who, scope: "api.read" }));
    assert.equal((await given(idJag(who))).scope, "api.read api.write shop.buy");
  });
});

describe("the client", () => {
  test("names itself as the assertion does, or not at all (36, mcp 1.7)", async () => {
    await given(idJag(), { client_id: provider.issuer });
    const token = idJag();
    for (const client_id of ["x", other.issuer, `${provider.issuer}/`, postern.issuer]) {
      const got = await straight(postern, token, { client_id });
      assert.ok((got.status === 401 && got.body.error === "invalid_client") || (got.status === 400 && got.body.error === "invalid_grant"), got.text);
    }
    await given(token, { client_id: provider.issuer });
  });

  test("may be a document of the provider's (mcp 1.7)", async () => {
    const client_id = `${provider.issuer}/client.json`;
    provider.documents["/client.json"] = { client_id, client_name: "Agent", jwks_uri: `${provider.issuer}/.well-known/jwks.json` };
    await given(idJag({ client_id }), { client_id });
    await refuse(idJag({ client_id }, other), "invalid_grant", { client_id });
  });

  test("that authenticates must do it right (RFC 7523, 3.1)", async () => {
    const token = idJag();
    const wrong = await read(postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: token }, basic("nobody", "wrong")));
    assert.notEqual(wrong.status, 200, "a client that shows a wrong secret is let in");
    assert.ok(["invalid_client", "invalid_grant"].includes(wrong.body.error), wrong.text);
  });
});

describe("a refusal", () => {
  test("is invalid_grant for whatever is wrong with the assertion, and uses nothing up (86)", async () => {
    const now = seconds();
    const wrong = {
      aud: { aud: "https://other.example" }, exp: { exp: now - 100, iat: now - 400 }, "no exp": { exp: undefined }, iat: { iat: now + 300, exp: now + 600 }, iss: { iss: other.issuer }, ours: { iss: postern.issuer },
      jti: { jti: undefined }, sub: { sub: "" }, client: { client_id: "x" }, unverified: { email_verified: 1 }, "old login": { auth_time: now - 4000 }, "no login": { auth_time: undefined },
    };
    for (const [name, change] of Object.entries(wrong)) {
      const got = await refuse(idJag(change), "invalid_grant");
      assert.equal(got.body.claim, undefined, name);
      assert.equal(got.headers.get("www-authenticate"), null, name);
    }
    const [who, jti] = [person(), randomUUID()];
    await refuse(idJag({ ...who, jti, email_verified: false }), "invalid_grant");
    await given(idJag({ ...who, jti }));
    await refuse(idJag({ ...who, jti }), "invalid_grant");
    await refusedWith(present(postern, idJag({ ...who, jti })), 400, "replay_detected");
  });

  test("comes before the assertion is used up when the request itself is wrong (26)", async () => {
    const token = idJag();
    await refuse(token, "invalid_target", { resource: "https://other.example" });
    await refuse(token, "invalid_scope", { scope: "admin" });
    await given(token);
  });

  test("where the person has to confirm first is invalid_grant; the same assertion then starts the ceremony (86, mcp 1.7)", async () => {
    const email = `${randomUUID()}@example.com`;
    const browser = await new Browser(postern).signIn(email);
    const who = { sub: randomUUID(), email };
    const token = idJag(who);
    for (let again = 0; again < 3; again += 1) {
      const { text } = await refuse(token, "invalid_grant");
      assert.ok(!text.includes(email) && !/claim_token|user_code/.test(text));
    }
    const step = await asked(postern, token);
    await refuse(token, "invalid_grant");
    await confirmTyped(postern, browser, step);
    const { access_token } = await given(idJag(who));
    assert.equal(claims(access_token).sub, step.id);
  });

  test("is not cached and leaks no part of the assertion into the log (145)", async () => {
    const [token, who] = [idJag(), person()];
    const bad = idJag({ ...who, aud: "https://other.example" });
    await given(token);
    await refuse(bad, "invalid_grant");
    const logs = JSON.stringify(postern.logs);
    for (const secret of [token, bad, token.split(".")[2], bad.split(".")[1], who.email]) assert.ok(!logs.includes(secret));
  });
});

test("one assertion, a hundred token requests at once at two isolates: one token (25)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const assertion = idJag();
    const there = () => read(fetch(`${second}/oauth2/token`, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ grant_type: JWT_BEARER, assertion }).toString() }));
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => (index % 2 ? straight(postern, assertion) : there())));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1, answers.map(({ status }) => status).join());
    for (const { status, body } of answers) if (status !== 200) assert.deepEqual([status, body.error], [400, "invalid_grant"]);
  }
});

test("the metadata says so, and the grant is listed (mcp 1.7)", async () => {
  for (const path of ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]) {
    const { status, body } = await read(postern.get(path));
    if (status === 404 && /openid/.test(path)) continue;
    assert.deepEqual(body.authorization_grant_profiles_supported, ["urn:ietf:params:oauth:grant-profile:id-jag"]);
    assert.ok(body.grant_types_supported.includes(JWT_BEARER));
  }
});
