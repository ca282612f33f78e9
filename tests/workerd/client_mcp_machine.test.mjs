// The official MCP clients for TypeScript without a person: client_credentials with a secret and with a key.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import * as v2 from "@modelcontextprotocol/client";
import * as v1 from "@modelcontextprotocol/sdk/client/auth-extensions.js";
import { exportJWK, exportPKCS8, generateKeyPair } from "jose";
import { claims } from "./support/agent.mjs";
import { CLIENTS } from "./support/mcp_client.mjs";
import { deploy } from "./support/postern.mjs";
import { TOOLS } from "./support/tools.mjs";

const SECRET = "a secret of the worker: 100% + more";
let postern, pem;
before(async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
  pem = await exportPKCS8(privateKey);
  const usual = { redirect_uris: [], response_types: [], grant_types: ["client_credentials"] };
  const secret = { client_id: "worker", client_name: "Worker", ...usual, client_secret_sha256: createHash("sha256").update(SECRET).digest("hex") };
  const key = { client_id: "signer", client_name: "Signer", ...usual, token_endpoint_auth_method: "private_key_jwt", jwks: { keys: [{ ...(await exportJWK(publicKey)), alg: "RS256" }] } };
  postern = await deploy({ vars: { CLIENTS: JSON.stringify([secret, key]) } });
});
after(() => postern?.stop());

for (const [name, [make, Transport]] of Object.entries(CLIENTS)) {
  const { ClientCredentialsProvider, PrivateKeyJwtProvider } = name === "v1" ? v1 : v2;
  const ways = {
    worker: () => new ClientCredentialsProvider({ clientId: "worker", clientSecret: SECRET, expectedIssuer: postern.issuer }),
    signer: () => new PrivateKeyJwtProvider({ clientId: "signer", privateKey: pem, algorithm: "RS256", expectedIssuer: postern.issuer }),
  };
  describe(`the MCP client ${name}, for itself`, () => {
    for (const [id, provide] of Object.entries(ways))
      test(`gets a token by itself as the ${id}, and another one when that does not count any more`, async () => {
        const [client, authProvider, resource] = [make(), provide(), `${postern.issuer}/mcp`];
        await client.connect(new Transport(new URL(resource), { authProvider }));
        const { access_token, refresh_token } = authProvider.tokens();
        const { sub, aud, client_id } = claims(access_token);
        assert.deepEqual([sub, aud, client_id, refresh_token], [id, resource, id, undefined]);
        authProvider.saveTokens({ ...authProvider.tokens(), access_token: "forgotten" });
        assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), TOOLS);
        assert.notEqual(authProvider.tokens().access_token, access_token);
        await client.close();
      });
  });
}
