// better-auth with its OAuth provider on Node.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect } from "../load.mjs";
import { form, get, json, times } from "../requests.mjs";
import { start } from "../servers.mjs";

const RESOURCE = "https://api.example.com";
const METADATA = "/.well-known/oauth-authorization-server";
const SERVER = fileURLToPath(new URL("better-auth-server.mjs", import.meta.url));

export const betterAuth = {
  id: "better-auth",
  name: "better-auth on Node",

  start({ folder, port }) {
    mkdirSync(folder, { recursive: true });
    return start(process.execPath, [SERVER, String(port), RESOURCE], { port, path: METADATA, log: join(folder, "log") });
  },

  paths: ["discovery", "jwks", "token-key", "introspect-first"],

  async measures({ port }) {
    const [{ client_id, client_secret }] = await collect(port, [get("/client")], "client");
    const client = { client_id, client_secret };
    const token = (fields) => form("/oauth2/token", { grant_type: "client_credentials", ...client, ...fields });
    const introspect = (value) => form("/oauth2/introspect", { ...client, token: value });
    const opaque = await collect(port, times(256, () => token({ scope: "api.read" })), "access_token");
    return {
      discovery: { requests: [get(METADATA)], expect: "token_endpoint" },
      jwks: { requests: [get("/jwks")], expect: "ES256" },
      "token-key": { requests: [token({ resource: RESOURCE, scope: "api.read" })], expect: "access_token" },
      // An opaque token is looked up every time: no time is the first.
      "introspect-first": { requests: opaque.map(introspect), expect: '"active":true' },
    };
  },
};

/** Its memory adapter searches a list, so that clients that come must not cost the other paths their time. */
export const betterAuthArrivals = {
  ...betterAuth,
  part: "arrivals",
  paths: ["register", "register-client"],
  async measures() {
    const client = json("/oauth2/register", { client_name: "agent", redirect_uris: ["https://agent.example.com/callback"] });
    return { register: { requests: [client], expect: "client_secret" }, "register-client": { requests: [client], expect: "client_secret" } };
  },
};
