// A provider of agents, whose word a deployment takes: its key set on loopback, and assertions (ID-JAG) that it signs ahead of time.
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer } from "node:http";

const KEY = "bench";
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const HEADER = encode({ typ: "oauth-id-jag+jwt", alg: "ES256", kid: KEY });

/** A provider with one key, which may be cached for longer than a benchmark takes. It ends with the process. */
export async function provide() {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: KEY, use: "sig", alg: "ES256" }] });
  const server = createServer((_, response) => response.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "max-age=86400" }).end(keys));
  await new Promise((resolve, reject) => server.on("error", reject).listen(0, "127.0.0.1", resolve));
  server.unref();
  const issuer = `http://127.0.0.1:${server.address().port}`;

  return {
    /** The variable that makes a deployment trust it. */
    trusted: JSON.stringify([{ issuer, name: "Example Agents" }]),
    /** An assertion about a person, for the deployment `audience`, good for so many seconds. */
    idJag(audience, person, life) {
      const now = Math.floor(Date.now() / 1000);
      const who = { sub: `person-${person}`, email: `person-${person}@example.com`, email_verified: true };
      const claims = { iss: issuer, aud: audience, client_id: issuer, jti: randomUUID(), iat: now, exp: now + life, auth_time: now, ...who };
      const input = `${HEADER}.${encode(claims)}`;
      return `${input}.${sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
    },
  };
}
