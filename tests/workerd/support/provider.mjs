// A provider of agents: real keys and documents over HTTP on loopback, and whatever it may sign.
import { constants, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";
import { jws } from "./forge.mjs";

export const REVOKED = "https://schemas.workos.com/events/agent/auth/identity/assertion/revoked";
export const REVOKED_TOO = "https://schemas.workos.com/events/agent/identity/assertion/revoked";

/** How each algorithm makes its keys and its signatures. */
export const ALGORITHMS = {
  ES256: { make: () => generateKeyPairSync("ec", { namedCurve: "P-256" }), seal: (key) => (input) => sign("sha256", input, { key, dsaEncoding: "ieee-p1363" }) },
  ES384: { make: () => generateKeyPairSync("ec", { namedCurve: "P-384" }), seal: (key) => (input) => sign("sha384", input, { key, dsaEncoding: "ieee-p1363" }) },
  RS256: { make: () => generateKeyPairSync("rsa", { modulusLength: 2048 }), seal: (key) => (input) => sign("sha256", input, key) },
  PS256: { make: () => generateKeyPairSync("rsa", { modulusLength: 2048 }), seal: (key) => (input) => sign("sha256", input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }) },
  EdDSA: { make: () => generateKeyPairSync("ed25519"), seal: (key) => (input) => sign(null, Buffer.from(input), key) },
};

let made = 0;

/** A key pair for this algorithm: what signs, and the JWK that is published. `jwk` changes the latter; undefined takes a member away. */
export function makeKey(alg = "ES256", jwk = {}) {
  const { publicKey, privateKey } = ALGORITHMS[alg].make();
  made += 1;
  const shown = JSON.parse(JSON.stringify({ ...publicKey.export({ format: "jwk" }), kid: `key-${made}`, use: "sig", alg, ...jwk }));
  return { alg, kid: shown.kid, jwk: shown, publicKey, privateKey, seal: ALGORITHMS[alg].seal(privateKey) };
}

export const seconds = () => Math.floor(Date.now() / 1000);

/** Without the members that are undefined. */
const less = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

/** A server on loopback that counts what it is asked for; `answer(request, response)` does the rest. */
export async function listen(answer, port = 0) {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    answer(request, response);
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const stop = () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections()));
  return { asked, url, stop, port: server.address().port };
}

/** A 200 with this JSON. */
export function json(response, body, headers = {}) {
  response.writeHead(200, { "content-type": "application/json", "cache-control": "max-age=300", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

/** A provider. `answer(request, response)` takes the place of its key set while it is set; `entry` is what the trust list says beside. */
export async function provide({ name = "Example Agents", keys = [makeKey()], entry = {} } = {}) {
  const provider = {
    keys,
    entry,
    answer: null,
    /** Documents at other paths. */
    documents: {},
    fetched: (path = "/.well-known/jwks.json") => server.asked.filter((url) => url === path).length,
    /** All requests, whatever for. */
    get requests() {
      return server.asked.length;
    },
    /** Another key from now on, alone. */
    rotate(alg) {
      provider.keys = [makeKey(alg)];
    },
    /** Any JWS: this header and these claims exactly, but `alg` and `kid` of the key. */
    sign(header, claims, key = provider.keys[0]) {
      return jws(less({ alg: key.alg, kid: key.kid, ...header }), less(claims), key.seal);
    },
    /** An ID-JAG that is in order, but for these changes. */
    idJag(postern, changes = {}, header = {}, key = provider.keys[0]) {
      return provider.sign({ typ: "oauth-id-jag+jwt", ...header }, provider.claims(postern, changes), key);
    },
    claims(postern, changes = {}) {
      const [now, id] = [seconds(), randomUUID()];
      const who = { sub: `user-${id}`, email: `${id}@example.com`, email_verified: true };
      return { iss: provider.issuer, aud: postern.issuer, client_id: provider.issuer, jti: id, iat: now, exp: now + 300, auth_time: now, ...who, ...changes };
    },
    /** A security event. */
    event(postern, changes = {}, header = {}) {
      const usual = { iss: provider.issuer, aud: postern.issuer, jti: randomUUID(), iat: seconds(), events: { [REVOKED]: {} } };
      return provider.sign({ typ: "secevent+jwt", ...header }, { ...usual, ...changes });
    },
    /** A logout token of auth.md v0.1. */
    logout: (postern, changes = {}, header = {}) => provider.event(postern, changes, { typ: "logout+jwt", ...header }),
    /** Its line in TRUSTED_PROVIDERS. */
    trust: () => ({ issuer: provider.issuer, name, ...entry }),
    /** No longer reachable at all. */
    stop: () => server.stop(),
  };
  const server = await listen((request, response) => {
    if (provider.documents[request.url]) return json(response, provider.documents[request.url]);
    if (request.url !== "/.well-known/jwks.json") return response.writeHead(404).end();
    if (provider.answer) return provider.answer(request, response);
    json(response, { keys: provider.keys.map(({ jwk }) => jwk) });
  });
  provider.issuer = server.url;
  return provider;
}

/** The variable for these providers. */
export const trusting = (...providers) => ({ TRUSTED_PROVIDERS: JSON.stringify(providers.map((provider) => provider.trust())) });
