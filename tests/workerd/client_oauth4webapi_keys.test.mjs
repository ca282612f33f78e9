// oauth4webapi with keys: DPoP on every path, clients that sign, clients of their own, and token exchange.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { exportJWK } from "jose";
import * as oauth from "oauth4webapi";
import { claims } from "./support/agent.mjs";
import { call, consented, person } from "./support/oauth.mjs";
import { RESOURCE_SERVER_KEY, deploy } from "./support/postern.mjs";
import { App, discover, plain } from "./support/webapi.mjs";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS = "urn:ietf:params:oauth:token-type:access_token";
const SECRET = "a secret of the portal, for the tests only";
const PORTAL = { client_id: "portal", client_name: "Portal", redirect_uris: ["https://client.example/callback"], grant_types: ["authorization_code", "refresh_token", "client_credentials", EXCHANGE], client_secret_sha256: createHash("sha256").update(SECRET).digest("hex"), scope: "api.read api.write openid" };
const KEYS = { ES256: "ES256", RS256: "RS256", EdDSA: "Ed25519" };

const pairs = {};
const jwk = async (alg) => ({ ...(await exportJWK(pairs[alg].publicKey)), kid: `key-${alg}`, alg, use: "sig" });
const signs = (alg) => ({ key: pairs[alg].privateKey, kid: `key-${alg}` });
const api = { client_id: "api" };
const seen = (app, token) => app.introspect(token, api, oauth.ClientSecretBasic(RESOURCE_SERVER_KEY));
const refused = (promise, error) => assert.rejects(promise, (cause) => (assert.equal(cause.error, error, cause), true));

let postern, strict, ada;
before(async () => {
  for (const [alg, name] of Object.entries(KEYS)) pairs[alg] = await oauth.generateKeyPair(name);
  const worker = { client_id: "worker", client_name: "Worker", redirect_uris: [], response_types: [], grant_types: ["client_credentials", EXCHANGE], token_endpoint_auth_method: "private_key_jwt", jwks: { keys: await Promise.all(Object.keys(KEYS).map(jwk)) } };
  const vars = { CLIENTS: JSON.stringify([PORTAL, worker]) };
  [postern, strict] = await Promise.all([deploy({ vars }), deploy({ vars: { DPOP_NONCE: "required" } })]);
  ada = await person(postern, "ada@example.com");
});
after(() => Promise.all([postern, strict].map((one) => one?.stop())));

const app = async (metadata, key) => App.register(await discover(postern.issuer), metadata, key);
const configured = async (client_id, auth) => new App(await discover(postern.issuer), { client_id }, auth);

describe("DPoP (RFC 9449)", () => {
  for (const alg of ["ES256", "RS256", "Ed25519"])
    test(`with ${alg}: code, refresh and userinfo are bound to the key`, async () => {
      const mine = await app({ client_name: `Bound to ${alg}` });
      const pair = await oauth.generateKeyPair(alg);
      const options = { DPoP: oauth.DPoP(mine.client, pair) };
      const tokens = await mine.redeem(await mine.authorized(ada, { scope: "openid api.read" }), { options });
      assert.equal(tokens.token_type, "dpop");
      const thumb = claims(tokens.access_token).cnf.jkt;
      assert.equal(thumb, await options.DPoP.calculateThumbprint());
      const { sub } = oauth.getValidatedIdTokenClaims(tokens);
      assert.equal((await mine.userinfo(tokens.access_token, sub, options)).sub, sub);
      assert.equal((await mine.call(tokens.access_token, "/api/v1/auth/me", options)).status, 200);
      const known = await seen(mine, tokens.access_token);
      assert.deepEqual([known.active, known.token_type, known.cnf.jkt], [true, "DPoP", thumb]);
      assert.equal(await call(postern, tokens.access_token), 401, "as a bearer token it is worth nothing");
      const stolen = { DPoP: oauth.DPoP(mine.client, await oauth.generateKeyPair(alg)) };
      await assert.rejects(mine.call(tokens.access_token, "/api/v1/auth/me", stolen));
      await assert.rejects(mine.refresh(tokens.refresh_token, stolen), (error) => ["invalid_grant", "invalid_dpop_proof"].includes(error.error));
      await assert.rejects(mine.refresh(tokens.refresh_token), (error) => ["invalid_grant", "invalid_dpop_proof"].includes(error.error));
      const next = await mine.refresh(tokens.refresh_token, options);
      assert.equal(claims(next.access_token).cnf.jkt, thumb);
      assert.equal((await mine.call(next.access_token, "/api/v1/auth/me", options)).status, 200);
    });

  test("a code that was asked for with dpop_jkt is for that key alone", async () => {
    const mine = await app({ client_name: "Named its key" });
    const options = { DPoP: oauth.DPoP(mine.client, pairs.ES256) };
    const dpop_jkt = await options.DPoP.calculateThumbprint();
    const other = { DPoP: oauth.DPoP(mine.client, await oauth.generateKeyPair("ES256")) };
    const told = await mine.authorized(ada, { dpop_jkt });
    await assert.rejects(mine.redeem(told, { options: other }), (error) => ["invalid_grant", "invalid_dpop_proof"].includes(error.error));
    await assert.rejects(mine.redeem(told), (error) => ["invalid_grant", "invalid_dpop_proof"].includes(error.error));
    assert.equal((await mine.redeem(told, { options })).token_type, "dpop", "nothing was consumed");
  });

  test("a request that was pushed with a proof is for that key alone (RFC 9449, section 10.1)", async () => {
    const mine = await app({ client_name: "Pushed with its key" });
    const handle = (pair) => ({ DPoP: oauth.DPoP(mine.client, pair) });
    const [options, other] = [handle(pairs.ES256), handle(await oauth.generateKeyPair("ES256"))];
    const pushed = await oauth.pushedAuthorizationRequest(mine.server, mine.client, mine.auth, await mine.ask(), { ...plain, ...options });
    const { request_uri } = await oauth.processPushedAuthorizationResponse(mine.server, mine.client, pushed);
    const { to, ...params } = await consented(ada, mine.page({ client_id: mine.client.client_id, request_uri }));
    const told = mine.told(params);
    await assert.rejects(mine.redeem(told, { options: other }), (error) => ["invalid_grant", "invalid_dpop_proof"].includes(error.error));
    assert.equal((await mine.redeem(told, { options })).token_type, "dpop");
  });

  test("where a nonce is required each refusal brings one, and the same request with it is served", async () => {
    const owner = await person(strict, "grace@example.com");
    const mine = await App.register(await discover(strict.issuer));
    const handle = () => ({ DPoP: oauth.DPoP(mine.client, pairs.ES256) });
    const told = await mine.authorized(owner, { scope: "openid api.read" });
    let refusals = 0;
    const again = async (work) => {
      const options = handle();
      await assert.rejects(work(options), (error) => ((refusals += 1), oauth.isDPoPNonceError(error)));
      return work(options);
    };
    const tokens = await again((options) => mine.redeem(told, { options }));
    const { sub } = oauth.getValidatedIdTokenClaims(tokens);
    const next = await again((options) => mine.refresh(tokens.refresh_token, options));
    assert.equal((await again((options) => mine.userinfo(next.access_token, sub, options))).sub, sub);
    assert.equal((await again((options) => mine.call(next.access_token, "/api/v1/auth/me", options))).status, 200);
    assert.equal(refusals, 4);
  });
});

describe("a client that signs (private_key_jwt)", () => {
  for (const alg of Object.keys(KEYS))
    test(`with ${alg} registers its key, and trades, refreshes, introspects and revokes with it`, async () => {
      const key = signs(alg);
      const mine = await app({ client_name: `Signs with ${alg}`, token_endpoint_auth_method: "private_key_jwt", token_endpoint_auth_signing_alg: alg, jwks: { keys: [await jwk(alg)] } }, key);
      assert.equal(mine.client.client_secret, undefined);
      const tokens = await mine.redeem(await mine.authorized(ada));
      const next = await mine.refresh(tokens.refresh_token);
      assert.equal((await mine.introspect(next.access_token)).active, true);
      const stranger = new App(mine.server, mine.client, oauth.PrivateKeyJwt({ key: (await oauth.generateKeyPair(KEYS[alg])).privateKey, kid: key.kid }));
      await assert.rejects(stranger.refresh(next.refresh_token));
      await mine.revoke(next.refresh_token);
      await refused(mine.refresh(next.refresh_token), "invalid_grant");
    });

  test("may send each assertion once, and only one that is meant for us", async () => {
    const mine = await configured("worker", oauth.PrivateKeyJwt(signs("ES256")));
    const ask = async (change) => {
      const auth = oauth.PrivateKeyJwt(signs("ES256"), { [oauth.modifyAssertion]: (_, payload) => change(payload) });
      return oauth.processClientCredentialsResponse(mine.server, mine.client, await oauth.clientCredentialsGrantRequest(mine.server, mine.client, auth, {}, plain));
    };
    const jti = crypto.randomUUID();
    assert.ok((await ask((payload) => (payload.jti = jti))).access_token);
    const no = (error) => error.error === "invalid_client" || error instanceof oauth.WWWAuthenticateChallengeError;
    await assert.rejects(ask((payload) => (payload.jti = jti)), no);
    await assert.rejects(ask((payload) => (payload.aud = "https://elsewhere.example")), no);
    await assert.rejects(ask((payload) => (payload.exp = payload.iat - 120)), no);
    await assert.rejects(ask((payload) => (payload.sub = "portal")), no);
  });
});

describe("a client for itself (client_credentials)", () => {
  const own = async (mine, parameters = {}, options = {}) => oauth.processClientCredentialsResponse(mine.server, mine.client, await oauth.clientCredentialsGrantRequest(mine.server, mine.client, mine.auth, parameters, { ...plain, ...options }));
  const ways = { client_secret_basic: ["portal", () => oauth.ClientSecretBasic(SECRET)], client_secret_post: ["portal", () => oauth.ClientSecretPost(SECRET)], private_key_jwt: ["worker", () => oauth.PrivateKeyJwt(signs("EdDSA"))] };
  for (const [method, [id, auth]] of Object.entries(ways))
    test(`gets a token that works, with ${method}`, async () => {
      const mine = await configured(id, auth());
      const { access_token, refresh_token, scope } = await own(mine, { scope: "api.read", resource: `${postern.issuer}/api/v1` });
      assert.deepEqual([refresh_token, scope, claims(access_token).sub], [undefined, "api.read", id]);
      assert.equal(await call(postern, access_token), 200);
      assert.equal((await mine.introspect(access_token)).active, true);
      await mine.revoke(access_token);
      assert.deepEqual(await mine.introspect(access_token), { active: false });
    });

  test("gets one that is bound to a key, and none with a wrong secret", async () => {
    const mine = await configured("portal", oauth.ClientSecretBasic(SECRET));
    const options = { DPoP: oauth.DPoP(mine.client, pairs.ES256) };
    const { access_token, token_type } = await own(mine, {}, options);
    assert.deepEqual([token_type, (await mine.call(access_token, "/api/v1/auth/me", options)).status], ["dpop", 200]);
    const wrong = await configured("portal", oauth.ClientSecretPost("wrong"));
    await assert.rejects(own(wrong), (error) => error.error === "invalid_client" || error instanceof oauth.WWWAuthenticateChallengeError);
  });
});

describe("token exchange (RFC 8693)", () => {
  const exchange = async (mine, parameters, options = {}) => {
    const answer = await oauth.genericTokenEndpointRequest(mine.server, mine.client, mine.auth, EXCHANGE, parameters, { ...plain, ...options });
    return oauth.processGenericTokenEndpointResponse(mine.server, mine.client, answer);
  };
  const subject = (subject_token, more = {}) => ({ subject_token, subject_token_type: ACCESS, ...more });

  test("narrows a person's token, for another resource only if the person agreed to that too", async () => {
    const portal = await configured("portal", oauth.ClientSecretBasic(SECRET));
    const { access_token } = await portal.redeem(await portal.authorized(ada, { scope: "api.read api.write" }));
    const resource = `${postern.issuer}/api/v1`;
    await refused(exchange(portal, subject(access_token, { resource })), "invalid_target");
    await portal.authorized(ada, { scope: "api.read", resource });
    await refused(exchange(portal, subject(access_token, { scope: "api.write", resource })), "invalid_scope");
    const narrow = await exchange(portal, subject(access_token, { scope: "api.read", resource }));
    assert.deepEqual([narrow.scope, narrow.issued_token_type, narrow.refresh_token], ["api.read", ACCESS, undefined]);
    const [before, then] = [claims(access_token), claims(narrow.access_token)];
    assert.deepEqual([then.sub, then.aud, then.act], [before.sub, resource, undefined]);
    assert.ok(then.exp <= before.exp);
    assert.equal(await call(postern, narrow.access_token), 200);
    await refused(exchange(portal, subject(narrow.access_token, { scope: "api.write" })), "invalid_scope");
    await refused(exchange(portal, subject(access_token, { resource: "https://elsewhere.example" })), "invalid_target");
    await portal.revoke(access_token);
    assert.deepEqual(await seen(portal, narrow.access_token), { active: false }, "it ends with what it came from");
  });

  test("names who acts, from the actor's token alone", async () => {
    const portal = await configured("portal", oauth.ClientSecretBasic(SECRET));
    const worker = await configured("worker", oauth.PrivateKeyJwt(signs("RS256")));
    const { access_token } = await portal.redeem(await portal.authorized(ada, { scope: "api.read" }));
    const actor = await oauth.processClientCredentialsResponse(worker.server, worker.client, await oauth.clientCredentialsGrantRequest(worker.server, worker.client, worker.auth, {}, plain));
    const acting = await exchange(worker, subject(access_token, { actor_token: actor.access_token, actor_token_type: ACCESS, act: '{"sub":"somebody"}' }));
    assert.deepEqual([claims(acting.access_token).sub, claims(acting.access_token).act.sub], [claims(access_token).sub, "worker"]);
    assert.equal((await seen(worker, acting.access_token)).act.sub, "worker");
    await refused(exchange(worker, subject(access_token)), "invalid_request");
  });
});
