// Token status lists (draft-ietf-oauth-status-list): what an offline verifier sees of a revocation, and how late.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { inflateSync } from "node:zlib";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { claims, exchange, keyToken, register, registerKey, sleep } from "./support/agent.mjs";
import { bearer, ok, read, refused } from "./support/answers.mjs";
import { altered, ownKey } from "./support/forge.mjs";
import { OPERATOR_KEY, deploy } from "./support/postern.mjs";
import { script } from "./support/python.mjs";

let postern, second, keys;
before(async () => {
  postern = await deploy({ isolates: 2, vars: { TRACE: "off", OPENID_CONNECT: "off" } });
  second = await postern.second();
  keys = createRemoteJWKSet(new URL(`${postern.issuer}/.well-known/jwks.json`), { cooldownDuration: 0 });
});
after(() => postern.stop());

const reference = (token) => claims(token).status.status_list;
const token = async ({ identity_assertion }) => (await exchange(postern, identity_assertion)).access_token;
const revoke = async (presented) => assert.equal((await read(postern.form("/oauth2/revoke", { token: presented }))).status, 200);

/** The list at `uri`, as the worker at `base` serves it, checked as the draft says (section 8.3). */
async function list(uri, base = postern.issuer) {
  const { status, headers, text } = await read(fetch(uri.replace(postern.issuer, base), { headers: { accept: "application/statuslist+jwt" } }));
  assert.equal(status, 200, text);
  assert.equal(headers.get("content-type"), "application/statuslist+jwt");
  const { payload, protectedHeader } = await jwtVerify(text, keys, { typ: "statuslist+jwt", subject: uri, issuer: postern.issuer, algorithms: ["ES256"], requiredClaims: ["iat", "exp", "ttl"] });
  assert.equal(payload.status_list.bits, 1);
  const octets = inflateSync(Buffer.from(payload.status_list.lst, "base64url"));
  return { payload, protectedHeader, headers, bit: (index) => (octets[index >> 3] >> (index & 7)) & 1, length: octets.length };
}

async function statuses(tokens, base) {
  const lists = new Map();
  for (const presented of tokens) {
    const { uri } = reference(presented);
    if (!lists.has(uri)) lists.set(uri, await list(uri, base));
  }
  return tokens.map((presented) => lists.get(reference(presented).uri).bit(reference(presented).idx));
}

test("a token names its place, and the list there is signed, dated and says that it is live", async () => {
  const presented = await token(await register(postern));
  const { idx, uri } = reference(presented);
  assert.ok(uri.startsWith(`${postern.issuer}/status/`));
  const { payload, protectedHeader, headers, bit, length } = await list(uri);
  assert.deepEqual(Object.keys(payload).sort(), ["exp", "iat", "iss", "status_list", "sub", "ttl"]);
  assert.deepEqual(Object.keys(payload.status_list).sort(), ["bits", "lst"]);
  assert.deepEqual(Object.keys(protectedHeader).sort(), ["alg", "kid", "typ"]);
  assert.ok(payload.iat <= Date.now() / 1000 && payload.exp > Date.now() / 1000 + 900, "it outlives the tokens that name it");
  assert.ok(Number.isInteger(payload.ttl) && payload.ttl > 0 && payload.ttl <= 60);
  assert.ok(idx < length * 8);
  assert.equal(bit(idx), 0);
  const kept = Number(/max-age=(\d+)/.exec(headers.get("cache-control"))[1]);
  assert.ok(kept <= 60 && headers.get("cache-control").includes("public"));
  assert.equal(headers.get("access-control-allow-origin"), "*");
  assert.equal((await read(fetch(uri, { method: "HEAD" }))).status, 200);
  assert.equal((await read(fetch(uri, { method: "POST" }))).status, 405);
});

/** The records at rest, by kind. */
function records() {
  const found = {};
  for (const name of readdirSync(postern.folder, { recursive: true })) {
    if (!/postern-Cell.[0-9a-f]{64}\.sqlite$/.test(name)) continue;
    const base = new DatabaseSync(join(postern.folder, name), { readOnly: true });
    const table = base.prepare("SELECT name FROM sqlite_master WHERE name = 'record'").get();
    const kind = table ? JSON.parse(base.prepare("SELECT body FROM record").get().body).kind : "nothing";
    base.close();
    if (kind !== "nothing") found[kind] = (found[kind] ?? 0) + 1;
  }
  return found;
}

test("a list that nobody has a place in is not found, and asking for it stores nothing", async () => {
  await token(await register(postern));
  const before = records();
  assert.ok(before.keyring > 0 && before.registration > 0, `the records can be read: ${JSON.stringify(before)}`);
  for (const number of ["9", "800", "4294967295", "4294967296", "01", "-1", "1.0", "x", "", "1/2", "%31"]) await refused(postern.get(`/status/${number}`), 404, "not_found", number);
  await Promise.all(Array.from({ length: 50 }, (_, index) => refused(postern.get(`/status/${1000 + index}`), 404, "not_found")));
  assert.deepEqual(records(), before);
});

describe("a revocation", () => {
  test("is in the list within 60 s, and nothing else is, in JavaScript and in Python", async (t) => {
    const [mine, other, ended, keyed] = [await register(postern), await register(postern), await register(postern), await registerKey(postern)];
    const siblings = await Promise.all(Array.from({ length: 40 }, () => token(mine)));
    const gone = siblings.filter((_, index) => index % 3 === 0);
    const live = [...siblings.filter((_, index) => index % 3 !== 0), await token(other)];
    const late = await token(other);
    const whole = [await token(ended), (await keyToken(postern, keyed.credential)).access_token, (await keyToken(postern, keyed.credential)).access_token];
    const ask = { issuer: postern.issuer, audience: `${postern.issuer}/mcp` };
    const forged = altered(late, { header: { typ: "JWT" } }, (await ownKey(postern)).seal);
    assert.deepEqual(await script("status_list.py", { ...ask, tokens: { late, whole: whole[0], forged } }), { late: 0, whole: 0, forged: "InvalidTokenError" });
    for (const base of [postern.issuer, second]) assert.ok((await statuses([...gone, ...live, late, ...whole], base)).every((bit) => bit === 0));

    const watched = [];
    const watch = async (what, revoked) => {
      const answered = Date.now();
      const seen = [postern.issuer, second].map(async (base) => {
        while (!(await statuses(revoked, base)).every((bit) => bit === 1)) {
          assert.ok(Date.now() - answered < 60_000, `${what}: not in the list after 60 s`);
          await sleep(200);
        }
        return Date.now() - answered;
      });
      return [what, Math.max(...(await Promise.all(seen)))];
    };
    await Promise.all(gone.map(revoke));
    watched.push(watch("tokens", gone));
    await revoke(ended.identity_assertion);
    await revoke(keyed.credential);
    watched.push(watch("a registration and an API key", whole));
    await sleep(3000);
    await revoke(late);
    watched.push(watch("a token, three seconds later", [late]));
    const lags = await Promise.all(watched);
    t.diagnostic(`revocations were in the status list after ${lags.map(([what, lag]) => `${lag} ms (${what})`).join(", ")}; a verifier may keep a copy for ${(await list(reference(late).uri)).payload.ttl} s more`);
    for (const base of [postern.issuer, second]) {
      assert.ok((await statuses([...gone, late, ...whole], base)).every((bit) => bit === 1));
      assert.ok((await statuses(live, base)).every((bit) => bit === 0), "other tokens of the same registration stay live");
    }
    assert.deepEqual(await script("status_list.py", { ...ask, tokens: { late, whole: whole[0], key: whole[1], sibling: live[0], gone: gone[0] } }), { late: 1, whole: 1, key: 1, sibling: 0, gone: 1 });
    assert.equal((await statuses([await token(mine)]))[0], 0, "a new token has a place that nobody had");
  });

  test("stays in the list when the key that signed it is revoked: it is signed anew", async () => {
    const mine = await register(postern);
    const presented = await token(mine);
    const { uri } = reference(presented);
    const { protectedHeader } = await list(uri);
    const old = decodeProtectedHeader(presented).kid;
    assert.equal(protectedHeader.kid, old);
    await ok(postern.json("/operator/keys/revoke", { kid: old }, bearer(OPERATOR_KEY)));
    const began = Date.now();
    for (;;) {
      const text = await (await fetch(uri)).text();
      if (decodeProtectedHeader(text).kid !== old) break;
      assert.ok(Date.now() - began < 60_000, "still signed by the revoked key after 60 s");
      await sleep(200);
    }
    assert.equal((await list(uri)).bit(reference(presented).idx), 0);
  });
});
