// openid-client as a relying party, from the issuer's name to the end of the session.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import * as client from "openid-client";
import { carried, consented, person } from "./support/oauth.mjs";
import { codeIn, newestMail } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";

const CALLBACK = "https://portal.example/callback";
const GONE = "https://portal.example/signed-out";
const SECRET = "a secret of the portal: with spaces, ümläuts & signs +/%";
const PORTAL = { client_id: "portal", client_name: "Portal", redirect_uris: [CALLBACK], post_logout_redirect_uris: [GONE], client_secret_sha256: createHash("sha256").update(SECRET).digest("hex"), grant_types: ["authorization_code", "refresh_token"], trusted: true };
const insecure = { execute: [client.allowInsecureRequests] };
const SCOPE = "openid email profile api.read";

let postern, ada;
before(async () => {
  postern = await deploy({ vars: { CLIENTS: JSON.stringify([PORTAL]) } });
  ada = await person(postern, "ada@example.com");
});
after(() => postern?.stop());

/** The ways that a relying party may be known here. */
const WAYS = {
  "of the operator, whom nobody is asked about, with client_secret_basic": () => client.discovery(new URL(postern.issuer), "portal", SECRET, client.ClientSecretBasic(SECRET), insecure),
  "of the operator, with client_secret_post": () => client.discovery(new URL(postern.issuer), "portal", SECRET, client.ClientSecretPost(SECRET), insecure),
  "that registers itself": () => registered({}),
  "that registers for ES256": () => registered({ id_token_signed_response_alg: "ES256" }),
};
const registered = (metadata) =>
  client.dynamicClientRegistration(new URL(postern.issuer), { client_name: "Registered portal", redirect_uris: [CALLBACK], post_logout_redirect_uris: [GONE], token_endpoint_auth_method: "client_secret_post", grant_types: ["authorization_code", "refresh_token"], ...metadata }, undefined, insecure);

/** A sign-in of the person, checked by the library: state, iss, PKCE, nonce, the ID token. */
async function signedIn(config, browser, more = {}, checks = {}) {
  const [verifier, nonce, state] = [client.randomPKCECodeVerifier(), client.randomNonce(), client.randomState()];
  const url = client.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: SCOPE, code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", nonce, state, ...more });
  const { to, ...params } = await consented(browser, url.href);
  const back = new URL(`${to}?${new URLSearchParams(params)}`);
  return client.authorizationCodeGrant(config, back, { pkceCodeVerifier: verifier, expectedNonce: nonce, expectedState: state, idTokenExpected: true, ...checks });
}

for (const [name, make] of Object.entries(WAYS))
  describe(`a relying party ${name}`, () => {
    let config, tokens;
    before(async () => (config = await make()));

    test("discovers, signs the person in, and knows who it is", async () => {
      client.enableNonRepudiationChecks(config);
      tokens = await signedIn(config, ada, { max_age: "3000" }, { maxAge: 3000 });
      const { sub, email, auth_time } = tokens.claims();
      assert.ok(sub && auth_time, email);
      const info = await client.fetchUserInfo(config, tokens.access_token, sub);
      assert.deepEqual([info.sub, info.email, info.email_verified], [sub, "ada@example.com", true]);
    });

    test("refreshes, introspects, and revokes", async () => {
      const next = await client.refreshTokenGrant(config, tokens.refresh_token);
      assert.notEqual(next.refresh_token, tokens.refresh_token);
      assert.equal(next.claims()?.sub ?? tokens.claims().sub, tokens.claims().sub);
      const known = await client.tokenIntrospection(config, next.access_token);
      assert.deepEqual([known.active, known.client_id, known.scope.split(" ").sort()], [true, config.clientMetadata().client_id, SCOPE.split(" ").sort()]);
      await client.tokenRevocation(config, next.refresh_token);
      assert.deepEqual(await client.tokenIntrospection(config, next.access_token), { active: false });
      await assert.rejects(client.refreshTokenGrant(config, next.refresh_token), (error) => error.error === "invalid_grant");
    });

    test("signs the person out, who comes back with its state (RP-Initiated Logout)", async () => {
      const browser = await person(postern, `${createHash("sha256").update(name).digest("hex").slice(0, 8)}@example.com`);
      const { id_token } = await signedIn(config, browser);
      const url = client.buildEndSessionUrl(config, { id_token_hint: id_token, post_logout_redirect_uri: GONE, state: "the state of the end" });
      await browser.send(url.href);
      const { to, state } = carried(browser);
      assert.deepEqual([to, state], [GONE, "the state of the end"]);
      await browser.send("/account");
      assert.ok([302, 303].includes(browser.status), "nobody is signed in any more");
      assert.match(browser.headers.get("location"), /\/login/);
    });
  });

describe("a relying party that is careful", () => {
  let config;
  before(async () => (config = await WAYS["that registers itself"]()));

  test("pushes its request (RFC 9126)", async () => {
    const [verifier, state] = [client.randomPKCECodeVerifier(), client.randomState()];
    const url = await client.buildAuthorizationUrlWithPAR(config, { redirect_uri: CALLBACK, scope: "openid", code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", state });
    assert.deepEqual([...url.searchParams.keys()].sort(), ["client_id", "request_uri"]);
    const { to, ...params } = await consented(ada, url.href);
    const tokens = await client.authorizationCodeGrant(config, new URL(`${to}?${new URLSearchParams(params)}`), { pkceCodeVerifier: verifier, expectedState: state });
    assert.ok(tokens.claims().sub);
  });

  test("refuses an answer that names another issuer, another state, another nonce", async () => {
    const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
    const url = client.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: "openid", nonce, code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", state });
    const { to, ...params } = await consented(ada, url.href);
    const trade = (changes, checks) => client.authorizationCodeGrant(config, new URL(`${to}?${new URLSearchParams({ ...params, ...changes })}`), { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, ...checks });
    await assert.rejects(trade({ iss: "https://elsewhere.example" }));
    await assert.rejects(trade({ state: "another" }));
    await assert.rejects(trade({}, { expectedNonce: "another" }));
    await assert.rejects(trade({}), (error) => error.error === "invalid_grant", "the code was spent on the one before");
  });

  test("has the person sign in anew with prompt=login, and sees it in auth_time", async () => {
    const browser = await person(postern, "anew@example.com");
    const { auth_time: before } = (await signedIn(config, browser)).claims();
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const { auth_time: same } = (await signedIn(config, browser)).claims();
    assert.equal(same, before);
    const verifier = client.randomPKCECodeVerifier();
    const url = client.buildAuthorizationUrl(config, { redirect_uri: CALLBACK, scope: SCOPE, prompt: "login", code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" });
    await browser.open(url.href);
    await browser.submit("/login", { email: "anew@example.com" });
    const { text } = await newestMail(postern, "anew@example.com");
    await browser.submit("/login/code", { code: codeIn(text) }, { follow: false });
    const { to, ...params } = await consented(browser, browser.headers.get("location"));
    const tokens = await client.authorizationCodeGrant(config, new URL(`${to}?${new URLSearchParams(params)}`), { pkceCodeVerifier: verifier });
    assert.ok(tokens.claims().auth_time > before);
  });
});
