// An assertion gets a token only if it is ours, as we made it, for this purpose, in its time, and of a registration that lives.
import assert from "node:assert/strict";
import { createHmac, createPublicKey } from "node:crypto";
import { after, before, test } from "node:test";
import { JWT_BEARER, call, claims, exchange, register, sleep } from "./support/agent.mjs";
import { bearer, face, ok, read, refused } from "./support/answers.mjs";
import { altered, es256, jws, ownKey, stranger } from "./support/forge.mjs";
import { deploy } from "./support/postern.mjs";

let postern, other, own, assertion;
before(async () => {
  [postern, other] = await Promise.all([deploy(), deploy()]);
  assertion = (await register(postern)).identity_assertion;
  own = await ownKey(postern);
});
after(() => Promise.all([postern.stop(), other.stop()]));

const grant = (presented) => postern.form("/oauth2/token", { grant_type: JWT_BEARER, assertion: presented });
const now = () => Math.floor(Date.now() / 1000);
const header = (changes) => altered(assertion, { header: changes }, own.seal);
const body = (changes) => altered(assertion, { claims: changes }, own.seal);

test("the tests can sign as the deployment does, so what follows is refused for its own reason", async () => {
  for (const again of [altered(assertion, {}, own.seal), body({ extra: 1 }), header({ typ: "application/agent-identity+jwt" })]) {
    assert.ok((await ok(grant(again))).access_token);
  }
});

/** Name → assertion: none of them may get a token, and nothing may tell them apart. */
async function wrong() {
  const [head, payload, signature] = assertion.split(".");
  const pem = createPublicKey({ key: own.jwk, format: "jwk" }).export({ type: "spki", format: "pem" });
  const raw = Buffer.concat([Buffer.from([4]), Buffer.from(own.jwk.x, "base64url"), Buffer.from(own.jwk.y, "base64url")]);
  const hs256 = (secret, alg = "HS256") => altered(assertion, { header: { alg } }, (input) => createHmac("sha256", secret).update(input).digest());
  const { privateKey, publicKey } = stranger();
  const jwk = publicKey.export({ format: "jwk" });
  const foreign = (changes) => altered(assertion, changes, es256(privateKey));
  const provider = { alg: "ES256", typ: "oauth-id-jag+jwt", kid: "provider-1" };
  const flipped = Buffer.from(signature, "base64url");
  flipped[40] ^= 1;
  const victim = claims((await register(postern)).identity_assertion).sub;
  return {
    "another subject under the old signature": `${head}.${Buffer.from(JSON.stringify({ ...claims(assertion), sub: victim })).toString("base64url")}.${signature}`,
    "a flipped bit of the signature": `${head}.${payload}.${flipped.toString("base64url")}`,
    "no signature": `${head}.${payload}.`,
    "a signature of zeros": `${head}.${payload}.${Buffer.alloc(64).toString("base64url")}`,
    "a short signature": `${head}.${payload}.${signature.slice(0, 40)}`,
    "a DER signature": altered(assertion, {}, es256(own.key, "der")),
    "alg none": altered(assertion, { header: { alg: "none" } }, () => ""),
    "alg none with a good signature": header({ alg: "none" }),
    "HS256 with the public key as JWK": hs256(JSON.stringify(own.jwk)),
    "HS256 with the public key as PEM": hs256(pem),
    "HS256 with the public key as bytes": hs256(raw),
    "an HMAC called ES256": hs256(pem, "ES256"),
    "a good signature called RS256": header({ alg: "RS256" }),
    "a good signature called es256": header({ alg: "es256" }),
    "crit": header({ crit: ["exp"] }),
    "crit with an extension": header({ crit: ["b64"], b64: false }),
    "an empty crit": header({ crit: [] }),
    "no kid": header({ kid: undefined }),
    "an unknown kid": header({ kid: "x".repeat(43) }),
    "a stranger's key under our kid": foreign({}),
    "a stranger's key in the header": foreign({ header: { jwk } }),
    "a stranger's key behind a URL": foreign({ header: { jku: `${other.issuer}/.well-known/jwks.json`, x5u: "http://127.0.0.1:1/x" } }),
    "typ missing": header({ typ: undefined }),
    "typ JWT": header({ typ: "JWT" }),
    "typ of an access token": header({ typ: "at+jwt" }),
    "typ of an ID-JAG": header({ typ: "oauth-id-jag+jwt" }),
    "a provider's ID-JAG": jws(provider, { iss: "https://provider.example", aud: postern.issuer, sub: "ada", jti: "1", iat: now(), exp: now() + 60 }, es256(privateKey)),
    "an access token": (await exchange(postern, assertion)).access_token,
    "expired a second ago": body({ exp: now() - 1 }),
    "without exp": body({ exp: undefined }),
    "exp as text": body({ exp: `${now() + 600}` }),
    "not yet": body({ nbf: now() + 600 }),
    "another issuer": body({ iss: other.issuer }),
    "an issuer with a slash": body({ iss: `${postern.issuer}/` }),
    "another audience": body({ aud: other.issuer }),
    "two audiences": body({ aud: [postern.issuer, other.issuer] }),
    "without audience": body({ aud: undefined }),
    "a registration that never was": body({ sub: "reg_0000000000000000000000" }),
    "a subject that is no registration": body({ sub: "../../keyring/main" }),
    "a generation to come": body({ generation: 1 }),
    "a negative generation": body({ generation: -1 }),
    "of another deployment with the same secret": (await register(other)).identity_assertion,
    "two parts": `${head}.${payload}`,
    "four parts": `${assertion}.${signature}`,
    "padded": `${head}.${payload}.${signature}==`,
    "JSON": JSON.stringify({ payload, protected: head, signature }),
    "claims that are no object": jws({ alg: "ES256", typ: "agent-identity+jwt", kid: own.jwk.kid }, [1], own.seal),
    "longer than any of ours": body({ pad: "x".repeat(20_000) }),
    "garbage": "x",
    "dots": "..",
  };
}

test("whatever is not an assertion of ours, as we made it and in its time, is an invalid grant, and all look the same", async () => {
  const faces = new Map();
  for (const [name, presented] of Object.entries(await wrong())) faces.set(name, face(await refused(grant(presented), 400, "invalid_grant", name)));
  const [first] = faces.values();
  for (const [name, seen] of faces) assert.equal(seen, first, name);
});

test("an assertion of a registration that has ended looks no different", async () => {
  const { identity_assertion } = await register(postern);
  await ok(grant(identity_assertion));
  assert.equal((await read(postern.form("/oauth2/revoke", { token: identity_assertion }))).status, 200);
  assert.equal(face(await refused(grant(identity_assertion), 400, "invalid_grant")), face(await refused(grant("x"), 400, "invalid_grant")));
});

test("an assertion is good to the second that it names", async () => {
  const exp = now() + 2;
  const brief = body({ exp });
  await ok(grant(brief));
  await sleep(exp * 1000 - Date.now() + 50);
  await refused(grant(brief), 400, "invalid_grant");
});

test("an assertion opens nothing but the token endpoint", async () => {
  assert.equal(await call(postern.issuer, assertion), 401);
  assert.equal((await read(postern.json("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/list" }, bearer(assertion)))).status, 401);
  assert.equal((await read(postern.get("/operator/keys", bearer(assertion)))).status, 401);
});

test("an assertion may be exchanged again and again, after its tokens have ended too", async () => {
  const { identity_assertion } = await register(postern);
  for (let time = 0; time < 3; time += 1) {
    const { access_token } = await exchange(postern, identity_assertion);
    await read(postern.form("/oauth2/revoke", { token: access_token }));
    assert.equal(await call(postern.issuer, access_token), 401);
  }
  assert.equal(await call(postern.issuer, (await exchange(postern, identity_assertion)).access_token), 200);
});
