// A small agent provider: one key over HTTP, and ID-JAGs signed with it.
import { createServer } from "node:http";
import { SignJWT, exportJWK, generateKeyPair } from "jose";

let assertions = 0;

/** A provider that listens on a port of its own; `entry` is its place in the trust list. */
export async function voucher(name = "Example Provider") {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: "one", alg: "ES256", use: "sig" }] };
  const server = createServer((_, response) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(keys)));
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  const issuer = `http://localhost:${server.address().port}`;
  return {
    issuer,
    name,
    entry: { issuer, name },
    /** An ID-JAG about `sub`, whose address is `email`. */
    vouch: (aud, sub, email, extra = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: issuer, sub, aud, client_id: issuer, jti: `jag-${(assertions += 1)}`, iat: now, exp: now + 300, auth_time: now, email, email_verified: true, ...extra };
      return new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "one", typ: "oauth-id-jag+jwt" }).sign(privateKey);
    },
    stop: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
  };
}

export const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";

/** What an agent registers with that shows an ID-JAG. */
export const vouched = (assertion) => ({ type: "identity_assertion", assertion_type: ID_JAG, assertion });
