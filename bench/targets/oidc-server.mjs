// oidc-provider as its documentation sets it up, with its records in a plain map: its own memory adapter keeps a thousand only.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const [port, clientId, clientSecret, resource] = process.argv.slice(2);
const records = new Map();

class Records {
  constructor(model) {
    this.model = model;
  }
  async upsert(id, payload) {
    records.set(`${this.model}:${id}`, payload);
  }
  async find(id) {
    return records.get(`${this.model}:${id}`);
  }
  async destroy(id) {
    records.delete(`${this.model}:${id}`);
  }
  async consume(id) {
    records.get(`${this.model}:${id}`).consumed = Math.floor(Date.now() / 1000);
  }
  async revokeByGrantId() {}
}

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

const provider = new Provider(`http://localhost:${port}`, {
  adapter: Records,
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }] },
  scopes: ["api.read"],
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      token_endpoint_auth_method: "client_secret_post",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  cookies: { keys: ["of no use here"] },
  ttl: { ClientCredentials: 86400 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // A token for the resource is a JWT, one for no resource is opaque.
      getResourceServerInfo: () => ({ scope: "api.read", audience: resource, accessTokenTTL: 86400, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } }),
    },
  },
});

provider.listen(Number(port), "127.0.0.1");
