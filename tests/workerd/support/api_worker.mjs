// An API on a host of its own, behind the gate: says where to get in, and checks tokens offline (/v1/items) or by asking (/v1/orders).
import { createRemoteJWKSet, jwtVerify } from "jose";

const METADATA = "/.well-known/oauth-protected-resource/v1";
let keys;

/** What the token says, or null; `exp` among it. */
async function offline(token, { ISSUER, RESOURCE }) {
  keys ??= createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`));
  const options = { issuer: ISSUER, audience: RESOURCE, typ: "at+jwt", algorithms: ["ES256"], requiredClaims: ["exp", "sub", "scope"] };
  return jwtVerify(token, keys, options).then(({ payload }) => payload, () => null);
}

async function online(token, { ISSUER, RESOURCE, SERVER_NAME, SERVER_KEY }) {
  const answer = await fetch(`${ISSUER}/oauth2/introspect`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${SERVER_NAME}:${SERVER_KEY}`)}` },
    body: new URLSearchParams({ token }),
  });
  const said = await answer.json();
  return said.active && said.aud === RESOURCE ? said : null;
}

function refuse(status, fields, { RESOURCE }) {
  const parameters = { ...fields, resource_metadata: new URL(METADATA, RESOURCE).href };
  const challenge = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  return Response.json({ error: fields.error ?? "unauthorized" }, { status, headers: { "WWW-Authenticate": `Bearer ${challenge.join(", ")}` } });
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === METADATA) {
      return Response.json({ resource: env.RESOURCE, authorization_servers: [env.ISSUER], scopes_supported: ["items.read"], bearer_methods_supported: ["header"] });
    }
    const token = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (!token) return refuse(401, { scope: "items.read" }, env);
    const claims = await (pathname === "/v1/orders" ? online : offline)(token, env);
    if (!claims) return refuse(401, { error: "invalid_token", scope: "items.read" }, env);
    if (!claims.scope.split(" ").includes("items.read")) return refuse(403, { error: "insufficient_scope", scope: "items.read" }, env);
    return Response.json({ caller: claims.sub, expires: claims.exp });
  },
};
