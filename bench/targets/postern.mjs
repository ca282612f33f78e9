// Postern's release build, with real Durable Objects and KV.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/lib.mjs";
import { from } from "../addresses.mjs";
import { collect } from "../load.mjs";
import { provide } from "../provider.mjs";
import { bearer, form, get, json, times } from "../requests.mjs";
import { bundle, serve } from "../workerd.mjs";
import { CLIENT, connect, exchange, refresh } from "./connected.mjs";

const RESOURCE_SERVER_KEY = "a-resource-server-key-for-the-benchmark";
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
export const CLAIM = "urn:workos:agent-auth:grant-type:claim";
const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const TELEVISION = { client_id: "television", client_name: "Television", grant_types: [DEVICE], token_endpoint_auth_method: "none" };
const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";
const METADATA = "/.well-known/oauth-authorization-server";
/** Agents that ask for tokens, or come with one that nobody has seen. */
const AGENTS = 256;
/** Agents that come again within LIVENESS_TTL, so that few of them are asked about. */
export const REGULARS = 32;
/** Agents that wait for their person's confirmation; every other one has asked for it. So many devices wait for a person, too. */
const WAITING = 1024;
/** An assertion of a provider holds for so many seconds longer than the measurement that it is made for. */
const ID_JAG_LIFE = 300;
/** More requests a second than this a pool of tokens is not prepared for; when it is used up, the measurement ends early. */
export const FASTEST = 3000;

const modules = ["index.js", "index_bg.wasm"].map((name) => [name, readFileSync(join(root, "build", name))]);
const counter = ["counted.js", readFileSync(new URL("counted.js", import.meta.url))];

export { from };
export const issuer = (port) => `http://localhost:${port}`;

const bindings = (port) => ({
  ISSUER: issuer(port),
  DEV: "1",
  POSTERN_SECRET: "a-secret-of-the-benchmark-only-0123456789abcdef",
  RESOURCE_SERVER_KEYS: `api:${createHash("sha256").update(RESOURCE_SERVER_KEY).digest("hex")}`,
  REGISTRATIONS_PER_HOUR: "10000000",
  VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR: "100000",
  API_PER_MINUTE: "1000000",
  // Credentials of the preparation serve to the end of a long run.
  ACCESS_TOKEN_TTL: "86400",
  ASSERTION_TTL: "86400",
});

const identity = () => json("/agent/identity", { type: "anonymous" }, from());
const apiKey = () => json("/agent/auth", { type: "anonymous", requested_credential_type: "api_key" }, from());
const asks = (claim_token, index) => json("/agent/identity/claim", { type: "login_hint", claim_token, login_hint: `person-${index}@example.com` });
const begin = () => form("/oauth2/device_authorization", { client_id: TELEVISION.client_id });
const watch = (device_code) => form("/oauth2/token", { grant_type: DEVICE, client_id: TELEVISION.client_id, device_code });
const poll = (claim_token) => form("/oauth2/token", { grant_type: CLAIM, claim_token });
/** Agents that a provider vouches for run on its machines: the same 64 networks come again and again. */
const vouched = (assertion, index) => json("/agent/identity", { type: "identity_assertion", assertion_type: ID_JAG, assertion }, { "CF-Connecting-IP": `10.0.${index % 64}.1` });
const byAssertion = (assertion) => form("/oauth2/token", { grant_type: JWT_BEARER, assertion });
const byKey = (client_secret) => form("/oauth2/token", { grant_type: "client_credentials", client_secret });
const me = (token) => get("/api/v1/auth/me", bearer(token));
const introspect = (token) => form("/oauth2/introspect", { client_id: "api", client_secret: RESOURCE_SERVER_KEY, token });

/** A deployment with these variables, and what is measured on it: `paths` by name, `measures` as requests. */
export const variant = (paths, measures, vars = {}) => {
  const start = async (modules, more, place) =>
    serve({ modules, kv: "KV", bindings: { ...bindings(place.port), ...more, ...(await vars) }, classes: { CELL: "Cell", ACCOUNT: "Account" } }, { ...place, path: METADATA });
  return {
    id: "postern",
    name: "Postern",
    bundle: bundle(modules),
    start: (place) => start(modules, {}, place),
    /** The same behind an entry that counts what is done to storage. What is known of an agent stays known while that is done. */
    startCounted: (place) => start([counter, ...modules], { LIVENESS_TTL: "60" }, place),
    paths,
    measures,
  };
};

export const postern = variant(["discovery", "jwks", "auth-md", "token-assertion", "token-key", "introspect-seen", "bearer-seen"], async ({ port }) => {
  const assertions = await collect(port, times(AGENTS, identity), "identity_assertion");
  const keys = await collect(port, times(AGENTS, apiKey), "credential");
  const tokens = await collect(port, keys.slice(0, REGULARS).map(byKey), "access_token");
  return {
    discovery: { requests: [get(METADATA)], expect: "token_endpoint" },
    jwks: { requests: [get("/.well-known/jwks.json")], expect: "ES256" },
    "auth-md": { requests: [get("/auth.md")], expect: "/agent/identity" },
    "token-assertion": { requests: assertions.map(byAssertion), expect: "access_token" },
    "token-key": { requests: keys.map(byKey), expect: "access_token" },
    "introspect-seen": { requests: tokens.map(introspect), expect: '"active":true' },
    "bearer-seen": { requests: tokens.map(me), expect: "registration_id" },
  };
});

/** For tokens seen the first time: nothing is known of their agents either, for what is known is good for no time at all. */
export const posternStrangers = {
  ...variant(
    ["introspect-first", "bearer-first"],
    async ({ port }, seconds) => {
      const keys = await collect(port, times(AGENTS, apiKey), "credential");
      const fresh = () => collect(port, times(seconds * FASTEST, (index) => byKey(keys[index % AGENTS])), "access_token");
      return {
        "introspect-first": { prepare: async () => (await fresh()).map(introspect), once: true, expect: '"active":true' },
        "bearer-first": { prepare: async () => (await fresh()).map(me), once: true, expect: "registration_id" },
      };
    },
    { LIVENESS_TTL: "0" },
  ),
  part: "strangers",
};

/**
 * Registrations leave thousands of Durable Objects behind, which the runtime puts away ten seconds later, while something else is
 * measured. So they have a process of their own.
 */
export const posternArrivals = {
  ...variant(["register", "register-v01"], async ({ port }, seconds) => {
    // Until the compiler has done its best, registrations cost twice as much; and few of them fit in the warm-up.
    await collect(port, times(1000, identity), "registration_id");
    return {
      register: { prepare: () => times(seconds * FASTEST, identity), once: true, expect: "identity_assertion" },
      "register-v01": { prepare: () => times(seconds * FASTEST, apiKey), once: true, expect: '"credential":"' },
    };
  }),
  part: "arrivals",
};

/** Agents and devices that wait. They are new in every round, as both wait ten minutes at most, and leave objects behind like all new ones. */
export const posternWaiting = {
  ...variant(
    ["claim-poll", "device-poll"],
    async ({ port }, seconds) => {
      const count = Math.min(WAITING, seconds * FASTEST);
      const waiting = async () => {
        const tokens = await collect(port, times(count, identity), "claim_token");
        await collect(port, tokens.filter((_, index) => index % 2).map(asks), "claim_attempt");
        return tokens.map(poll);
      };
      const watching = async () => (await collect(port, times(count, begin), "device_code")).map(watch);
      // Both answers are right: nobody confirms, and whoever comes again before its time is told so.
      const right = { status: 400, expect: ['"error":"authorization_pending"', '"error":"slow_down"'] };
      return { "claim-poll": { prepare: waiting, ...right }, "device-poll": { prepare: watching, ...right } };
    },
    { CLIENTS: JSON.stringify([TELEVISION]) },
  ),
  part: "waiting",
};

/** Agents of a provider. Its people are known, its key set too; every assertion is new, and was signed before the clock starts. */
const provider = provide();
export const posternVouched = {
  ...variant(
    ["register-id-jag"],
    async ({ port }, seconds) => {
      const { idJag } = await provider;
      const fresh = (count) => times(count, (index) => vouched(idJag(issuer(port), index % AGENTS, ID_JAG_LIFE + Math.ceil(seconds)), index));
      // The first time makes these people known. Later it only brings their objects back into memory, for each comes but once or twice.
      const meet = () => collect(port, fresh(AGENTS), "identity_assertion");
      await meet();
      const prepare = () => meet().then(() => fresh(seconds * FASTEST));
      return { "register-id-jag": { prepare, once: true, expect: "identity_assertion" } };
    },
    provider.then(({ trusted }) => ({ TRUSTED_PROVIDERS: trusted })),
  ),
  part: "vouched",
};

/** People who have connected a client; each with several sessions at once, fewer than a grant takes. */
const PEOPLE = 256;
const SESSIONS = 6;
export const posternConnected = {
  ...variant(
    ["token-code", "token-refresh"],
    async ({ port }, seconds) => {
      const codes = await connect(port, PEOPLE);
      const count = Math.min(PEOPLE * SESSIONS, Math.ceil(seconds * FASTEST));
      const exchanges = async () => (await codes(count)).map((code) => form("/oauth2/token", exchange(code)));
      const tokens = async () => collect(port, await exchanges(), "refresh_token");
      return {
        "token-code": { prepare: exchanges, once: true, expect: "refresh_token" },
        "token-refresh": { prepare: async () => (await tokens()).map((token) => form("/oauth2/token", refresh(token))), once: true, expect: "refresh_token" },
      };
    },
    { CLIENTS: JSON.stringify([CLIENT]), MAILS_PER_NETWORK_PER_HOUR: "100000", MAILS_PER_HOUR: "1000000" },
  ),
  part: "connected",
};

/** Clients that register themselves, each with a name of its own: nobody shares a registration. */
export const posternClients = {
  ...variant(
    ["register-client"],
    async ({ port }, seconds) => {
      let clients = 0;
      const client = () => json("/oauth2/register", { client_name: `Client ${(clients += 1)}`, redirect_uris: ["https://agent.example.com/callback"], token_endpoint_auth_method: "none" }, from());
      await collect(port, times(1000, client), "client_id");
      return { "register-client": { prepare: () => times(seconds * FASTEST, client), once: true, expect: "client_id" } };
    },
    { CLIENTS_PER_HOUR: "10000000", CLIENTS_PER_NETWORK_PER_HOUR: "1000000" },
  ),
  part: "clients",
};
