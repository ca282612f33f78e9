// Official MCP clients that know an address and nothing else, each with a person at a browser.
import assert from "node:assert/strict";
import { Client as ClientV2, DpopSession, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { consented } from "./oauth.mjs";

export const CALLBACK = "http://localhost:8976/callback";
const ME = { name: "test", version: "1" };
const v2 = (mode) => () => new ClientV2(ME, mode ? { versionNegotiation: { mode } } : {});

/** How each is made, what carries it, and what it then speaks. */
export const CLIENTS = {
  "v1": [() => new ClientV1(ME), TransportV1, "2025-11-25"],
  "v2 as it comes": [v2(), TransportV2, "2025-11-25"],
  "v2 that asks first": [v2("auto"), TransportV2, "2026-07-28"],
};

/** Keeps what the client learns; sends the person's browser, who answers at once. */
export class Provider {
  constructor(browser, name, { answer = "allow", metadata = {}, dpop = false } = {}) {
    Object.assign(this, { browser, answer, sent: [], invalidated: [], registered: 0, saved: 0 });
    this.clientMetadata = { client_name: name, redirect_uris: [CALLBACK], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none", ...metadata };
    if (dpop) {
      const session = DpopSession.create();
      this.dpop = () => session;
    }
  }
  get redirectUrl() {
    return CALLBACK;
  }
  state() {
    return "a state of the test";
  }
  clientInformation() {
    return this.information;
  }
  saveClientInformation(information) {
    if (information.client_id !== this.information?.client_id) this.registered += 1;
    this.information = information;
  }
  tokens() {
    return this.kept;
  }
  saveTokens(tokens) {
    this.saved += 1;
    this.kept = tokens;
  }
  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  }
  codeVerifier() {
    return this.verifier;
  }
  saveDiscoveryState(state) {
    this.discovery = state;
  }
  discoveryState() {
    return this.discovery;
  }
  invalidateCredentials(scope) {
    this.invalidated.push(scope);
    if (["all", "client"].includes(scope)) this.information = undefined;
    if (["all", "tokens"].includes(scope)) this.kept = undefined;
  }
  async redirectToAuthorization(url) {
    this.sent.push(url);
    const { to, ...params } = await consented(this.browser, url.href, this.answer);
    assert.equal(to, CALLBACK);
    assert.equal(params.state, "a state of the test");
    this.back = new URLSearchParams(params);
  }
}

/** A client that has connected, through the person if need be. */
export async function connect([make, Transport], url, provider) {
  const attempt = async () => {
    const [client, transport] = [make(), new Transport(new URL(url), { authProvider: provider })];
    try {
      await client.connect(transport);
      return { client, transport };
    } catch (error) {
      await client.close().catch(() => {});
      return { error, transport };
    }
  };
  const before = provider.sent.length;
  const first = await attempt();
  if (first.client) return first.client;
  if (provider.sent.length === before) throw first.error;
  await finish(first.transport, Transport, provider);
  const second = await attempt();
  if (second.error) throw second.error;
  return second.client;
}

/** Hands over what came back: the older client wants the code alone, the newer one looks at all of it. */
export const finish = (transport, Transport, provider) => transport.finishAuth(Transport === TransportV1 ? provider.back.get("code") : provider.back);
