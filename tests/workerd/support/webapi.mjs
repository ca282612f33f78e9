// An application that oauth4webapi speaks for, with a person at a browser.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { REDIRECT, consented } from "./oauth.mjs";

export const plain = { [oauth.allowInsecureRequests]: true };

/** What the server says of itself. */
export async function discover(issuer, algorithm = "oauth2") {
  const url = new URL(issuer);
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm, ...plain }));
}

export class App {
  constructor(server, client, auth) {
    Object.assign(this, { server, client, auth });
  }

  /** Registers itself, and authenticates as it was told; `signs` is the private key of a client that signs. */
  static async register(server, metadata = {}, signs) {
    const usual = { client_name: "The application", redirect_uris: [REDIRECT], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none" };
    const answer = await oauth.dynamicClientRegistrationRequest(server, { ...usual, ...metadata }, plain);
    const client = await oauth.processDynamicClientRegistrationResponse(answer);
    const { token_endpoint_auth_method: method, client_secret: secret } = client;
    const ways = { none: () => oauth.None(), client_secret_basic: () => oauth.ClientSecretBasic(secret), client_secret_post: () => oauth.ClientSecretPost(secret), private_key_jwt: () => oauth.PrivateKeyJwt(signs) };
    return new App(server, client, ways[method]());
  }

  /** A new request for the person: its parameters, and what only the application knows. */
  async ask(more = {}) {
    this.verifier = oauth.generateRandomCodeVerifier();
    this.state = oauth.generateRandomState();
    const challenge = await oauth.calculatePKCECodeChallenge(this.verifier);
    const usual = { client_id: this.client.client_id, response_type: "code", redirect_uri: REDIRECT, code_challenge: challenge, code_challenge_method: "S256", state: this.state };
    return { ...usual, ...more };
  }

  /** Where the person is sent. */
  page(params) {
    const url = new URL(this.server.authorization_endpoint);
    url.search = new URLSearchParams(params);
    return url.href;
  }

  /** The person is asked and says yes; what the application is told, once state and issuer are found right. */
  async authorized(browser, more) {
    const { to, ...params } = await consented(browser, this.page(await this.ask(more)));
    assert.equal(to, REDIRECT);
    return this.told(params);
  }

  told(params) {
    return oauth.validateAuthResponse(this.server, this.client, new URLSearchParams(params), this.state);
  }

  /** Trades what came back for tokens. */
  async redeem(params, { options = {}, ...expected } = {}) {
    const answer = await oauth.authorizationCodeGrantRequest(this.server, this.client, this.auth, params, REDIRECT, this.verifier, { ...plain, ...options });
    const tokens = await oauth.processAuthorizationCodeResponse(this.server, this.client, answer, expected);
    if (tokens.id_token) await oauth.validateApplicationLevelSignature(this.server, answer, plain);
    return tokens;
  }

  async refresh(token, options = {}) {
    const answer = await oauth.refreshTokenGrantRequest(this.server, this.client, this.auth, token, { ...plain, ...options });
    return oauth.processRefreshTokenResponse(this.server, this.client, answer);
  }

  /** Calls one of our resources. */
  async call(access_token, path, options = {}) {
    return oauth.protectedResourceRequest(access_token, "GET", new URL(path, this.server.issuer), undefined, undefined, { ...plain, ...options });
  }

  async userinfo(access_token, sub, options = {}) {
    const answer = await oauth.userInfoRequest(this.server, this.client, access_token, { ...plain, ...options });
    return oauth.processUserInfoResponse(this.server, this.client, sub, answer);
  }

  async introspect(token, client = this.client, auth = this.auth) {
    return oauth.processIntrospectionResponse(this.server, client, await oauth.introspectionRequest(this.server, client, auth, token, plain));
  }

  async revoke(token) {
    await oauth.processRevocationResponse(await oauth.revocationRequest(this.server, this.client, this.auth, token, plain));
  }
}
