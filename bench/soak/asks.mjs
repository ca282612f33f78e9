// The requests of the mix.
import { randomUUID } from "node:crypto";
import { AUTHORIZE, CLIENT, exchange, refresh } from "../targets/connected.mjs";
import { form, get, json } from "./client.mjs";
import { RESOURCE_SERVER_KEY } from "./server.mjs";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const MCP = "2026-07-28";

export const bearer = (token) => ({ Authorization: `Bearer ${token}` });
export const me = (credential) => get("/api/v1/auth/me", bearer(credential));
export const introspection = (token) => form("/oauth2/introspect", { client_id: "api", client_secret: RESOURCE_SERVER_KEY, token });
export const byAssertion = (assertion) => form("/oauth2/token", { grant_type: JWT_BEARER, assertion });
export const byKey = (client_secret) => form("/oauth2/token", { grant_type: "client_credentials", client_secret });
export const refreshing = (refresh_token) => json("/api/v1/auth/token", { grant_type: "refresh_token", refresh_token });
export const authorizing = (cookie) => get(AUTHORIZE, { Cookie: cookie });
export const byCode = (code) => form("/oauth2/token", exchange(code));
export const continuing = (token) => form("/oauth2/token", refresh(token));
export const disconnecting = (token) => form("/oauth2/revoke", { client_id: CLIENT.client_id, token });
export const keyed = (key, more = {}) => ({ "X-Agent-Key": key, ...more });
export const named = () => ({ "Idempotency-Key": randomUUID() });
export const whoami = (token) =>
  json("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "whoami", arguments: {}, _meta: { "io.modelcontextprotocol/protocolVersion": MCP, "io.modelcontextprotocol/clientCapabilities": {} } } }, {
    ...bearer(token), Accept: "application/json, text/event-stream", "MCP-Protocol-Version": MCP, "Mcp-Method": "tools/call", "Mcp-Name": "whoami",
  });

/** What has ended is refused where it used to serve: tokens and keys by our API or, keys, by the token endpoint. */
export function refused(send, { kind, value }, elsewhere) {
  if (kind === "assertion") return send("use an ended assertion", byAssertion(value), 400);
  if (kind === "refresh") return send("use an ended refresh token", refreshing(value), 400);
  if (kind === "client refresh") return send("use an ended client refresh token", continuing(value), 400);
  return kind === "key" && elsewhere ? send("use an ended key", byKey(value), 401) : send(`use an ended ${kind}`, me(value), 401);
}
