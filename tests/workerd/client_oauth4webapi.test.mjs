// oauth4webapi as the client of a person: registration, code, refresh, who it is, introspection, revocation, PAR, device.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as oauth from "oauth4webapi";
import { call, carried, consented, person } from "./support/oauth.mjs";
import { RESOURCE_SERVER_KEY, deploy } from "./support/postern.mjs";
import { App, discover, plain } from "./support/webapi.mjs";

const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const EMAIL = "ada@example.com";
let postern, server, ada;
before(async () => {
  postern = await deploy();
  server = await discover(postern.issuer);
  ada = await person(postern, EMAIL);
});
after(() => postern?.stop());

const refused = (promise, error) => assert.rejects(promise, (cause) => (assert.equal(cause.error, error, cause), true));
const api = { client_id: "api" };
const seen = (app, token) => app.introspect(token, api, oauth.ClientSecretBasic(RESOURCE_SERVER_KEY));

describe("discovery", () => {
  test("finds the same server by either document, and knows that iss comes with every answer (RFC 8414, 9207)", async () => {
    assert.deepEqual(await discover(postern.issuer, "oidc"), server);
    assert.equal(server.authorization_response_iss_parameter_supported, true);
    assert.ok(server.code_challenge_methods_supported.includes("S256"));
  });

  test("the keys of every promised algorithm are there before the first ID token: clients keep what they have seen for a while", async () => {
    const { keys } = await (await fetch(server.jwks_uri)).json();
    assert.deepEqual(server.id_token_signing_alg_values_supported.filter((alg) => !keys.some((key) => key.alg === alg)), []);
  });
});

for (const method of ["none", "client_secret_basic", "client_secret_post"])
  describe(`a client with ${method}`, () => {
    let app, tokens;
    before(async () => {
      app = await App.register(server, { token_endpoint_auth_method: method, client_name: `Application with ${method}` });
    });

    test("registers, is consented to, checks state and iss, and trades the code with PKCE", async () => {
      assert.equal(typeof app.client.client_secret, method === "none" ? "undefined" : "string");
      const told = await app.authorized(ada, { scope: "api.read api.write" });
      tokens = await app.redeem(told);
      assert.deepEqual([tokens.token_type, tokens.scope, tokens.expires_in], ["bearer", "api.read api.write", 3600]);
      const request = new Request(`${postern.issuer}/mcp`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
      const { client_id, scope } = await oauth.validateJwtAccessToken(await discover(postern.issuer), request, `${postern.issuer}/mcp`, plain);
      assert.deepEqual([client_id, scope], [app.client.client_id, "api.read api.write"]);
      await refused(app.redeem(told), "invalid_grant");
      await refused(app.refresh(tokens.refresh_token), "invalid_grant");
    });

    test("refreshes, narrows, and ends it all by revoking the refresh token", async () => {
      tokens = await app.redeem(await app.authorized(ada, { scope: "api.read api.write", resource: `${postern.issuer}/api/v1` }));
      assert.equal(await call(postern, tokens.access_token), 200);
      const next = await app.refresh(tokens.refresh_token);
      assert.notEqual(next.refresh_token, tokens.refresh_token);
      assert.deepEqual([next.scope, await call(postern, next.access_token)], ["api.read api.write", 200]);
      const answer = await oauth.refreshTokenGrantRequest(server, app.client, app.auth, next.refresh_token, { additionalParameters: { scope: "api.read" }, ...plain });
      const last = await oauth.processRefreshTokenResponse(server, app.client, answer);
      assert.equal(last.scope, "api.read");
      assert.equal((await seen(app, last.access_token)).active, true);
      await app.revoke(last.refresh_token);
      await refused(app.refresh(last.refresh_token), "invalid_grant");
      assert.deepEqual(await seen(app, last.access_token), { active: false });
    });

    test("revokes one access token, and nothing else", async () => {
      const { access_token, refresh_token } = await app.redeem(await app.authorized(ada));
      await app.revoke(access_token);
      assert.deepEqual(await seen(app, access_token), { active: false });
      const next = await app.refresh(refresh_token);
      assert.equal((await seen(app, next.access_token)).active, true);
    });

    if (method !== "none")
      test("may introspect its own tokens, and nobody else's (RFC 7662)", async () => {
        const { access_token } = await app.redeem(await app.authorized(ada));
        const { active, client_id, aud, iss, token_type, exp } = await app.introspect(access_token);
        assert.deepEqual([active, client_id, aud, iss, token_type, typeof exp], [true, app.client.client_id, `${postern.issuer}/mcp`, postern.issuer, "Bearer", "number"]);
        const other = await App.register(server, { client_name: `Neighbour of ${method}`, token_endpoint_auth_method: method });
        assert.deepEqual(await other.introspect(access_token), { active: false });
        const wrong = new App(server, app.client, method === "client_secret_basic" ? oauth.ClientSecretBasic("wrong") : oauth.ClientSecretPost("wrong"));
        await assert.rejects(wrong.introspect(access_token), (cause) => cause.error === "invalid_client" || cause.cause?.[0]?.scheme === "basic");
      });
  });

describe("a person who says no", () => {
  test("is an error that carries iss and state, which the client accepts as the server's own (RFC 9207)", async () => {
    const app = await App.register(server, { client_name: "Denied" });
    const { to, ...params } = await consented(ada, app.page(await app.ask()), "deny");
    assert.equal(params.iss, postern.issuer);
    assert.throws(() => app.told(params), (cause) => cause instanceof oauth.AuthorizationResponseError && cause.error === "access_denied");
    assert.throws(() => app.told({ ...params, iss: "https://elsewhere.example" }), (cause) => cause instanceof oauth.OperationProcessingError);
  });

  test("prompt=none without a session is login_required, without consent consent_required", async () => {
    const app = await App.register(server, { client_name: "Quiet" });
    const asked = async (browser) => {
      await browser.send(app.page(await app.ask({ prompt: "none", scope: "openid" })));
      const { to, ...params } = carried(browser);
      try {
        return app.told(params);
      } catch (error) {
        return error.error;
      }
    };
    const stranger = await person(postern, "stranger@example.com");
    assert.equal(await asked(stranger), "consent_required");
    stranger.cookies.clear();
    assert.equal(await asked(stranger), "login_required");
  });
});

describe("OpenID Connect", () => {
  for (const alg of [undefined, "RS256", "ES256"])
    test(`the ID token is signed with ${alg ?? "RS256, unless asked otherwise"}, and is validated with nonce, at_hash and max_age; userinfo agrees`, async () => {
      const app = await App.register(server, { client_name: `Portal ${alg}`, ...(alg ? { id_token_signed_response_alg: alg } : {}) });
      const nonce = oauth.generateRandomNonce();
      const told = await app.authorized(ada, { scope: "openid email profile", nonce, max_age: "3000" });
      const tokens = await app.redeem(told, { expectedNonce: nonce, maxAge: 3000, requireIdToken: true });
      const header = JSON.parse(Buffer.from(tokens.id_token.split(".")[0], "base64url"));
      assert.equal(header.alg, alg ?? "RS256");
      const claims = oauth.getValidatedIdTokenClaims(tokens);
      assert.deepEqual([claims.nonce, claims.aud, claims.acr], [nonce, app.client.client_id, "1"]);
      assert.ok(claims.at_hash && Array.isArray(claims.amr) && claims.auth_time > 0);
      const { email, email_verified, sub } = await app.userinfo(tokens.access_token, claims.sub);
      assert.deepEqual([email, email_verified, sub], [EMAIL, true, claims.sub]);
      const again = await app.refresh(tokens.refresh_token);
      assert.equal(oauth.getValidatedIdTokenClaims(again)?.sub ?? claims.sub, claims.sub);
      assert.equal((await app.userinfo(again.access_token, claims.sub)).email, EMAIL);
    });

  test("with openid alone userinfo tells no address; without it nothing at all", async () => {
    const app = await App.register(server, { client_name: "Modest" });
    const nonce = oauth.generateRandomNonce();
    const tokens = await app.redeem(await app.authorized(ada, { scope: "openid", nonce }), { expectedNonce: nonce });
    const { sub } = oauth.getValidatedIdTokenClaims(tokens);
    assert.deepEqual(await app.userinfo(tokens.access_token, sub), { sub });
    const other = await App.register(server, { client_name: "Only the API" });
    const without = await other.redeem(await other.authorized(ada, { scope: "api.read" }));
    assert.equal(without.id_token, undefined);
    await assert.rejects(other.userinfo(without.access_token, oauth.skipSubjectCheck), (error) => error.cause[0].parameters.error === "insufficient_scope");
  });

  test("a pairwise subject is another one than the public one, and the same in ID token and userinfo", async () => {
    const subs = [];
    for (const subject_type of ["public", "pairwise"]) {
      const app = await App.register(server, { client_name: `Knows a ${subject_type} subject`, subject_type });
      const tokens = await app.redeem(await app.authorized(ada, { scope: "openid" }));
      const { sub } = oauth.getValidatedIdTokenClaims(tokens);
      assert.equal((await app.userinfo(tokens.access_token, sub)).sub, sub);
      subs.push(sub);
    }
    assert.notEqual(...subs);
  });
});

describe("pushed requests (RFC 9126)", () => {
  const push = async (app, more) => {
    const answer = await oauth.pushedAuthorizationRequest(server, app.client, app.auth, await app.ask(more), plain);
    return oauth.processPushedAuthorizationResponse(server, app.client, answer);
  };
  for (const method of ["none", "client_secret_basic"])
    test(`of a client with ${method} are asked for by reference, once`, async () => {
      const app = await App.register(server, { client_name: `Pushes with ${method}`, token_endpoint_auth_method: method });
      const { request_uri, expires_in } = await push(app, { scope: "api.read" });
      assert.ok(expires_in >= 5);
      const page = app.page({ client_id: app.client.client_id, request_uri });
      const { to, ...params } = await consented(ada, page);
      assert.equal((await app.redeem(app.told(params))).scope, "api.read");
      await ada.send(page);
      assert.deepEqual([ada.status, ada.headers.get("location")], [400, null]);
    });

  test("are judged when they come: a foreign resource is told at once", async () => {
    const app = await App.register(server, { client_name: "Pushes elsewhere" });
    await refused(push(app, { resource: "https://elsewhere.example" }), "invalid_target");
  });
});

describe("the device flow (RFC 8628)", { concurrency: true }, () => {
  const begin = async (app, more = {}) => {
    const answer = await oauth.deviceAuthorizationRequest(server, app.client, app.auth, more, plain);
    return oauth.processDeviceAuthorizationResponse(server, app.client, answer);
  };
  const poll = async (app, device_code) => {
    const answer = await oauth.deviceCodeGrantRequest(server, app.client, app.auth, device_code, plain);
    return oauth.processDeviceCodeResponse(server, app.client, answer);
  };
  const device = (name) => App.register(server, { client_name: name, grant_types: [DEVICE, "refresh_token"], response_types: [], redirect_uris: [] });

  /** The person has the link open, types nothing but what is there, and answers. */
  async function answered(browser, { verification_uri_complete }, answer) {
    await browser.open(verification_uri_complete);
    await browser.submit("/device");
    assert.match(browser.html, /asks to act for you/);
    await browser.submit("/device/answer", { answer });
    assert.equal(browser.status, 200, browser.html);
  }

  test("waits, and goes on once the person has approved; the code works once", async () => {
    const app = await device("Television");
    const codes = await begin(app, { scope: "openid api.read" });
    await refused(poll(app, codes.device_code), "authorization_pending");
    const owner = await person(postern, "device@example.com");
    await answered(owner, codes, "allow");
    await new Promise((resolve) => setTimeout(resolve, (codes.interval ?? 5) * 1000 + 100));
    const tokens = await poll(app, codes.device_code);
    assert.deepEqual(tokens.scope.split(" ").sort(), ["api.read", "openid"]);
    const { sub } = oauth.getValidatedIdTokenClaims(tokens);
    assert.equal((await app.userinfo(tokens.access_token, sub)).sub, sub);
    assert.ok((await app.refresh(tokens.refresh_token)).access_token);
    await assert.rejects(poll(app, codes.device_code), (cause) => ["invalid_grant", "expired_token", "slow_down"].includes(cause.error));
  });

  test("is denied by the person's no", async () => {
    const app = await device("Stranger's television");
    const codes = await begin(app);
    await answered(await person(postern, "denies@example.com"), codes, "deny");
    await refused(poll(app, codes.device_code), "access_denied");
  });

  test("tells one that polls too fast to slow down", async () => {
    const app = await device("Eager");
    const { device_code } = await begin(app);
    await refused(poll(app, device_code), "authorization_pending");
    await refused(poll(app, device_code), "slow_down");
  });
});
