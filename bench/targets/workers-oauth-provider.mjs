// @cloudflare/workers-oauth-provider in workerd, with the same KV: the usual choice on Workers.
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { collect } from "../load.mjs";
import { HOST, bearer, form, get, json, times } from "../requests.mjs";
import { bundle, serve } from "../workerd.mjs";

const METADATA = "/.well-known/oauth-authorization-server";
const REDIRECT_URIS = ["https://agent.example.com/callback"];

const { outputFiles } = buildSync({
  entryPoints: [fileURLToPath(new URL("workers-oauth-provider.js", import.meta.url))],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  external: ["cloudflare:*"],
  write: false,
});
const modules = [["main.js", outputFiles[0].contents]];

const exchange = ({ code, redirect_uri, client_id, client_secret }) =>
  form("/oauth/token", { grant_type: "authorization_code", code, redirect_uri, client_id, client_secret });
const refresh = ({ client_id, client_secret }, refresh_token) => form("/oauth/token", { grant_type: "refresh_token", refresh_token, client_id, client_secret });

export const workersOauthProvider = {
  id: "workers-oauth-provider",
  name: "workers-oauth-provider",
  bundle: bundle(modules),
  start: (place) => serve({ modules, kv: "OAUTH_KV", bindings: { ORIGIN: `http://${HOST}` } }, { ...place, path: METADATA }),

  paths: ["discovery", "register", "register-client", "token-code", "token-refresh", "token-key", "bearer-first"],

  async measures({ port }) {
    const grants = await collect(port, times(64, (index) => get(`/?authorize=user${index}`)), "fields");
    const answers = await collect(port, grants.map(exchange));
    const codes = () => collect(port, times(256, (index) => get(`/?authorize=user${index}`)), "fields");
    const client = json("/oauth/register", { client_name: "agent", redirect_uris: REDIRECT_URIS, token_endpoint_auth_method: "client_secret_post" });
    const refreshes = grants.map((grant, index) => refresh(grant, answers[index].refresh_token));
    return {
      discovery: { requests: [get(METADATA)], expect: "token_endpoint" },
      register: { requests: [client], expect: "client_secret" },
      "register-client": { requests: [client], expect: "client_secret" },
      "token-code": { prepare: async () => (await codes()).map(exchange), once: true, expect: "access_token" },
      // The token before the last stays good.
      "token-refresh": { requests: refreshes, expect: "access_token" },
      // It has no grant for machines: its way to a token without a person is a refresh.
      "token-key": { requests: refreshes, expect: "access_token" },
      // A token is looked up in KV every time: no time is the first.
      "bearer-first": { requests: answers.map(({ access_token }) => get("/api/me", bearer(access_token))), expect: "user" },
    };
  },
};
