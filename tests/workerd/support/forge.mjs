// Tokens that nobody issued: signed with the deployment's own key, with another's, or not at all.
import { createDecipheriv, createPrivateKey, generateKeyPairSync, hkdfSync, sign } from "node:crypto";
import { until } from "./agent.mjs";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const part = (token, index) => JSON.parse(Buffer.from(token.split(".")[index], "base64url"));

/** A key pair that the deployment does not know. */
export const stranger = () => generateKeyPairSync("ec", { namedCurve: "P-256" });

/** A compact JWS; `seal` makes the signature of its input. */
export function jws(header, claims, seal) {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${Buffer.from(seal(input)).toString("base64url")}`;
}

export const es256 = (key, dsaEncoding = "ieee-p1363") => (input) => sign("sha256", input, { key, dsaEncoding });

/** A genuine token with another header or other claims, sealed anew; `undefined` takes a member away. */
export function altered(token, { header = {}, claims = {} }, seal) {
  return jws({ ...part(token, 0), ...header }, { ...part(token, 1), ...claims }, seal);
}

/** The deployment's signing key, opened with its secret as the product does it, its public JWK, and what seals with it. */
export async function ownKey(postern) {
  const { KV, POSTERN_SECRET } = await postern.mf.getBindings("postern");
  await postern.get("/.well-known/jwks.json");
  let ring;
  await until(async () => (ring = JSON.parse(await KV.get("keyring"))) !== null);
  const { jwk, wrapped } = ring.keys.filter((key) => key.signs_from <= Date.now()).at(-1);
  const box = Buffer.from(wrapped, "base64url");
  const secret = Buffer.from(hkdfSync("sha256", POSTERN_SECRET, "postern/1", "wrapping", 32));
  const opened = createDecipheriv("aes-256-gcm", secret, box.subarray(0, 12)).setAAD(Buffer.from(jwk.kid)).setAuthTag(box.subarray(-16));
  const der = Buffer.concat([opened.update(box.subarray(12, -16)), opened.final()]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return { jwk, key, seal: es256(key) };
}
