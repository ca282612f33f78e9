// oidc-provider on Node: the usual choice outside of Workers.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect } from "../load.mjs";
import { form, get, json, times } from "../requests.mjs";
import { start } from "../servers.mjs";

const CLIENT = { client_id: "agent", client_secret: "a-secret-of-the-benchmark-only" };
const RESOURCE = "https://api.example.com";
const METADATA = "/.well-known/openid-configuration";
const SERVER = fileURLToPath(new URL("oidc-server.mjs", import.meta.url));

const token = (fields) => form("/token", { grant_type: "client_credentials", ...CLIENT, ...fields });
const introspect = (value) => form("/token/introspection", { ...CLIENT, token: value });

export const oidcProvider = {
  id: "oidc-provider",
  name: "oidc-provider on Node",

  start({ folder, port }) {
    mkdirSync(folder, { recursive: true });
    const args = [SERVER, String(port), CLIENT.client_id, CLIENT.client_secret, RESOURCE];
    return start(process.execPath, args, { port, path: METADATA, log: join(folder, "log") });
  },

  paths: ["discovery", "jwks", "register", "register-client", "token-key", "introspect-first"],

  async measures({ port }) {
    const opaque = await collect(port, times(256, () => token({})), "access_token");
    const client = json("/reg", { client_name: "agent", redirect_uris: ["https://agent.example.com/callback"] });
    return {
      discovery: { requests: [get(METADATA)], expect: "token_endpoint" },
      jwks: { requests: [get("/jwks")], expect: "ES256" },
      register: { requests: [client], expect: "client_secret" },
      "register-client": { requests: [client], expect: "client_secret" },
      "token-key": { requests: [token({ resource: RESOURCE, scope: "api.read" })], expect: "access_token" },
      // An opaque token is looked up every time: no time is the first.
      "introspect-first": { requests: opaque.map(introspect), expect: '"active":true' },
    };
  },
};
