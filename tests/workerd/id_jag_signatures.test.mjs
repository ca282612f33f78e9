// ID-JAGs: whose signature it is. Everything here is really signed, and really checked in workerd.
import assert from "node:assert/strict";
import { createHmac, sign } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { deploy } from "./support/postern.mjs";
import { jws, ownKey } from "./support/forge.mjs";
import { register } from "./support/agent.mjs";
import { ALGORITHMS, listen, makeKey, provide, trusting } from "./support/provider.mjs";
import { admitted, present, refusedWith, straight } from "./support/vouched.mjs";

let postern, provider, elsewhere;
const keys = Object.fromEntries(Object.keys(ALGORITHMS).map((alg) => [alg, makeKey(alg)]));
const twins = [makeKey("ES256", { kid: "twin" }), makeKey("ES256", { kid: "twin" })];
const bare = makeKey("EdDSA", { kid: undefined, use: undefined, alg: undefined });
before(async () => {
  const weak = { ...makeKey("RS256"), jwk: { kty: "RSA", kid: "weak", n: Buffer.alloc(128, 0xff).toString("base64url"), e: "AQAB" } };
  const encrypting = makeKey("ES256", { use: "enc", kid: "enc" });
  const shared = { jwk: { kty: "oct", kid: "shared", k: Buffer.from("a shared secret of the provider.").toString("base64url") } };
  provider = await provide({ keys: [...Object.values(keys), ...twins, bare, weak, encrypting, shared] });
  provider.encrypting = encrypting;
  elsewhere = await listen((request, response) => response.end());
  postern = await deploy({ vars: trusting(provider) });
});
after(() => Promise.all([postern.stop(), provider.stop(), elsewhere.stop()]));

const signature = (assertion, about) => refusedWith(present(postern, assertion), 400, "invalid_signature", about);
/** A header member of a wrong type makes the whole no token. */
const unread = async (assertion, about) => {
  const got = await present(postern, assertion);
  assert.equal(got.status, 400, `${about} ${got.text}`);
  assert.ok(["invalid_request", "invalid_signature"].includes(got.body.error), `${about} ${got.text}`);
};
const good = (header, key, changes) => provider.idJag(postern, changes, header, key);
/** A good ID-JAG with another signature. */
const resealed = (token, change) => {
  const [header, claims, seal] = token.split(".");
  return `${header}.${claims}.${Buffer.from(change(Buffer.from(seal, "base64url"), `${header}.${claims}`)).toString("base64url")}`;
};

describe("algorithms (29)", () => {
  for (const [alg, key] of Object.entries(keys)) {
    test(`${alg} with a key of its own kind is taken, and not with a byte changed`, async () => {
      const token = good({}, key);
      await signature(resealed(token, (bytes) => ((bytes[7] ^= 1), bytes)), alg);
      const [header, claims, seal] = token.split(".");
      const other = JSON.parse(Buffer.from(claims, "base64url"));
      await signature([header, Buffer.from(JSON.stringify({ ...other, sub: "somebody-else" })).toString("base64url"), seal].join("."), "other claims");
      await admitted(postern, token);
    });

    test(`${alg} with another key of the provider, or a stranger's under its name, is refused`, async () => {
      await signature(good({ kid: key.kid }, makeKey(alg)), "a stranger's");
      for (const [name, wrong] of Object.entries(keys)) if (name !== alg) await signature(good({ alg }, wrong), `${alg} says the header, ${name} signed`);
    });
  }

  test("a header that names another algorithm than the key's is refused, and none and HS256 always (29)", async () => {
    const pem = (key) => key.publicKey.export({ format: "pem", type: "spki" });
    const claims = () => provider.claims(postern);
    const mac = (secret) => (input) => createHmac("sha256", secret).update(input).digest();
    for (const kid of [keys.RS256.kid, keys.ES256.kid, undefined]) {
      const typ = "oauth-id-jag+jwt";
      for (const alg of ["none", "None", "NONE", "", undefined, null, 1, "HS256", "ES256K", "RS1", "RS512", "es256", "EdDSA ", "A128GCM"]) {
        const judge = typeof alg === "string" ? signature : unread;
        await judge(jws({ alg, kid, typ }, claims(), () => Buffer.alloc(0)), `${alg} unsigned`);
        await judge(jws({ alg, kid, typ }, claims(), keys.RS256.seal), `${alg} signed`);
      }
      for (const key of [keys.RS256, keys.ES256]) {
        const secrets = [pem(key), pem(key).trim(), key.publicKey.export({ format: "der", type: "spki" }), JSON.stringify(key.jwk), Buffer.from(key.jwk.n ?? key.jwk.x, "base64url")];
        for (const secret of secrets) await signature(jws({ alg: "HS256", kid, typ }, claims(), mac(secret)), "the public key as secret");
      }
    }
    await signature(jws({ alg: "HS256", kid: "shared", typ: "oauth-id-jag+jwt" }, claims(), mac("a shared secret of the provider.")), "a shared key in the set");
  });

  test("RS256 and PS256 are not the same: padding is judged by the header and the key's own word", async () => {
    const input = keys.RS256;
    await signature(jws({ alg: "PS256", kid: input.kid, typ: "oauth-id-jag+jwt" }, provider.claims(postern), ALGORITHMS.PS256.seal(input.privateKey)), "a PSS signature of a key for RS256");
    await signature(jws({ alg: "RS256", kid: input.kid, typ: "oauth-id-jag+jwt" }, provider.claims(postern), ALGORITHMS.PS256.seal(input.privateKey)), "a PSS signature called RS256");
  });
});

describe("ES256 signatures (32)", () => {
  test("in DER, of a wrong length, all zero or empty they are refused", async () => {
    const { ES256 } = keys;
    const token = good({}, ES256);
    const order = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");
    const wrong = {
      DER: (seal, input) => sign("sha256", input, { key: ES256.privateKey, dsaEncoding: "der" }),
      "63 bytes": (seal) => seal.subarray(0, 63),
      "65 bytes": (seal) => Buffer.concat([seal, Buffer.alloc(1)]),
      "a leading zero": (seal) => Buffer.concat([Buffer.alloc(1), seal]),
      "96 bytes": (seal) => Buffer.concat([seal, Buffer.alloc(32)]),
      empty: () => Buffer.alloc(0),
      "all zero": () => Buffer.alloc(64),
      "r zero": (seal) => Buffer.concat([Buffer.alloc(32), seal.subarray(32)]),
      "s zero": (seal) => Buffer.concat([seal.subarray(0, 32), Buffer.alloc(32)]),
      "the order twice": () => Buffer.concat([order, order]),
      "all ones": () => Buffer.alloc(64, 0xff),
    };
    for (const [name, change] of Object.entries(wrong)) await signature(resealed(token, change), name);
    await signature(good({ kid: keys.ES384.kid }, keys.ES384).replace(/[^.]+$/, Buffer.alloc(96).toString("base64url")), "all zero, ES384");
    await admitted(postern, token);
  });

  test("the twin with s negated is the same assertion: together they are used once (32)", async () => {
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const token = good({}, keys.ES256);
    const twin = resealed(token, (seal) => {
      const s = BigInt(`0x${seal.subarray(32).toString("hex")}`);
      return Buffer.concat([seal.subarray(0, 32), Buffer.from((order - s).toString(16).padStart(64, "0"), "hex")]);
    });
    await admitted(postern, token);
    await refusedWith(present(postern, twin), 400, "replay_detected");
  });
});

describe("headers", () => {
  test("typ is oauth-id-jag+jwt, and nothing else will do (28)", async () => {
    for (const typ of [undefined, "JWT", "at+jwt", "oauth-id-jag", "secevent+jwt", "logout+jwt", "agent-identity+jwt", ""]) await signature(good({ typ }, keys.ES256), typ);
    for (const typ of [null, 1, ["oauth-id-jag+jwt"]]) await unread(good({ typ }, keys.ES256), typ);
    // A media type has no case, and may be written with its prefix (RFC 7515, section 4.1.9).
    for (const typ of ["OAUTH-ID-JAG+JWT", "application/oauth-id-jag+jwt"]) {
      const got = await present(postern, good({ typ }, keys.ES256));
      assert.ok(got.status === 200 || got.body.error === "invalid_signature", got.text);
    }
  });

  test("keys and addresses in the header are not looked at (31)", async () => {
    const mine = makeKey("ES256", { kid: keys.ES256.kid });
    const tempting = { jwk: mine.jwk, jku: `${elsewhere.url}/jwks`, x5u: `${elsewhere.url}/x5u`, x5c: ["MIIB"] };
    await signature(good(tempting, mine), "the stranger's own key in the header");
    await signature(good({ ...tempting, kid: mine.kid, alg: "ES256" }, mine));
    await signature(good({ ...tempting, kid: undefined }, mine));
    await admitted(postern, good(tempting, keys.ES256));
    assert.deepEqual(elsewhere.asked, [], "nothing was fetched from where a header points");
  });

  test("a crit header is refused, whatever it names (29)", async () => {
    for (const crit of [["exp"], ["b64"], ["unknown"], [], "exp", {}, null]) await unread(good({ crit, b64: true, exp: 1, unknown: 1 }, keys.ES256), JSON.stringify(crit));
    const [, claims, seal] = good({ b64: false, crit: ["b64"] }, keys.ES256).split(".");
    const header = Buffer.from(JSON.stringify({ alg: "ES256", kid: keys.ES256.kid, typ: "oauth-id-jag+jwt", b64: false, crit: ["b64"] })).toString("base64url");
    assert.equal((await present(postern, `${header}.${claims}.${seal}`)).status, 400);
  });

  test("of two keys with one name either signs; without a name only the one that fits (30)", async () => {
    for (const twin of twins) await admitted(postern, good({}, twin));
    await signature(good({ kid: undefined }, keys.ES256), "more than one key fits");
    await admitted(postern, good({ kid: undefined }, keys.ES384));
    await signature(good({ kid: keys.ES384.kid }, keys.ES256), "the name of another key");
    for (const kid of ["", "x".repeat(5000), "__proto__", "../jwks"]) await signature(good({ kid }, keys.ES256), kid);
    for (const kid of [5, null, ["key-1"], {}]) await unread(good({ kid }, keys.ES256), JSON.stringify(kid));
  });

  test("a key for encryption, a weak or a shared one is no key (35)", async () => {
    await signature(good({}, provider.encrypting), "use enc");
    await signature(good({ kid: "weak", alg: "RS256" }, keys.RS256), "1024 bits");
  });
});

describe("confusion of tokens", () => {
  test("what is no token at all is refused as a bad request or signature, never as a fault of ours", async () => {
    const token = good({}, keys.ES256);
    const [header, claims, seal] = token.split(".");
    for (const wrong of ["", "x", "..", "a.b.c", `${header}.${claims}`, `${token}.x`, `${header}..${seal}`, `.${claims}.${seal}`, `${token}=`, token.replace(/\./g, "\n."), `${header}.${Buffer.from("[]").toString("base64url")}.${seal}`, "\u00e9.\u00e9.\u00e9", "x".repeat(60_000)]) {
      const got = await present(postern, wrong);
      assert.equal(got.status, 400, `${wrong.slice(0, 50)} ${got.text}`);
      assert.ok(["invalid_request", "invalid_signature", "invalid_issuer"].includes(got.body.error), got.text);
    }
    for (const wrong of [null, 5, {}, [token], true, undefined]) await refusedWith(present(postern, wrong), 400, "invalid_request");
  });

  test("our own assertion, or the provider's with our type, gets nobody in (68, 34)", async () => {
    const { identity_assertion: ours } = await register(postern);
    await refusedWith(present(postern, ours), 400, "invalid_issuer");
    const own = await ownKey(postern);
    const claims = (changes) => ({ ...provider.claims(postern), ...changes });
    const header = (typ) => ({ alg: "ES256", kid: own.jwk.kid, typ });
    await refusedWith(present(postern, jws(header("oauth-id-jag+jwt"), claims({ iss: postern.issuer }), own.seal)), 400, "invalid_issuer");
    await signature(jws(header("oauth-id-jag+jwt"), claims({}), own.seal), "our key, the provider's name");
    const { sub } = JSON.parse(Buffer.from(ours.split(".")[1], "base64url"));
    const forged = [good({ typ: "agent-identity+jwt" }, keys.ES256, { sub }), good({ typ: "agent-identity+jwt" }, keys.ES256, { sub, iss: postern.issuer }), good({}, keys.ES256, { iss: postern.issuer, sub })];
    for (const token of forged) await refusedWith(straight(postern, token), 400, "invalid_grant");
  });
});
