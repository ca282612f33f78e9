// Our own resources: who gets in, and what the others are told, to the letter.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, claims, exchange, keyToken, register, registerKey, sleep } from "./support/agent.mjs";
import { basic, bearer, face, read } from "./support/answers.mjs";
import { altered, ownKey } from "./support/forge.mjs";
import { deploy } from "./support/postern.mjs";

const SHOP = "https://shop.example/v1";
let postern, other, mine, own;
before(async () => {
  const vars = { SCOPES_SUPPORTED: "api.list api.read api.write", PRE_CLAIM_SCOPES: "api.list api.read", POST_CLAIM_SCOPES: "api.list api.read api.write", RESOURCES: JSON.stringify([{ uri: SHOP }]) };
  [postern, other] = await Promise.all([deploy({ vars }), deploy()]);
  mine = await register(postern);
  own = await ownKey(postern);
});
after(() => Promise.all([postern.stop(), other.stop()]));

const token = async (extra) => (await exchange(postern, mine.identity_assertion, extra)).access_token;
const me = (headers, query = "") => read(postern.get(`/api/v1/auth/me${query}`, headers));
const rpc = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "whoami", arguments: {} } };
const mcp = (headers, query = "") => read(postern.json(`/mcp${query}`, rpc, headers));
const SURFACES = { "/api/v1": me, "/mcp": mcp };
const DESCRIPTION = "The token is malformed, expired, revoked or meant for another resource.";

describe("the challenge", () => {
  for (const [path, ask] of Object.entries(SURFACES)) {
    const metadata = () => `${postern.issuer}/.well-known/oauth-protected-resource${path}`;

    test(`${path} without a credential says where to find one, and no error`, async () => {
      const { status, headers, body } = await ask({});
      assert.equal(status, 401);
      assert.equal(headers.get("www-authenticate"), `Bearer resource_metadata="${metadata()}", scope="api.list api.read"`);
      assert.equal(body.error, "unauthorized");
      assert.match(headers.get("access-control-expose-headers"), /WWW-Authenticate/);
      const document = await (await fetch(metadata())).json();
      assert.equal(document.resource, postern.issuer + path);
      assert.ok(!document.scopes_supported.includes("offline_access"));
    });

    test(`${path} refuses a bad, expired, revoked or foreign token in the same words`, async () => {
      const now = Math.floor(Date.now() / 1000);
      const genuine = await token();
      const forged = (changes) => altered(genuine, { claims: changes }, own.seal);
      assert.equal((await ask(bearer(forged({ jti: "another" })))).status, 200, "the forger can forge");
      const revoked = await token();
      await read(postern.form("/oauth2/revoke", { token: revoked }));
      const gone = await register(postern);
      const orphan = (await exchange(postern, gone.identity_assertion)).access_token;
      await read(postern.form("/oauth2/revoke", { token: gone.identity_assertion }));
      const wrong = {
        garbage: "x",
        "of another deployment": (await exchange(other, (await register(other)).identity_assertion)).access_token,
        "for another configured resource": await token({ resource: SHOP }),
        "for a resource that looks like ours": forged({ aud: `${postern.issuer}/mcp/` }),
        "for the issuer": forged({ aud: postern.issuer }),
        "for two resources": forged({ aud: [`${postern.issuer}/mcp`, SHOP] }),
        "for nobody": forged({ aud: undefined }),
        expired: forged({ exp: now - 1 }),
        "not yet valid": forged({ nbf: now + 60 }),
        "of another issuer": forged({ iss: other.issuer }),
        "without expiry": forged({ exp: undefined }),
        "of another type": altered(genuine, { header: { typ: "JWT" } }, own.seal),
        unsigned: altered(genuine, { header: { alg: "none" } }, () => ""),
        "an assertion": mine.identity_assertion,
        revoked,
        "of a registration that has ended": orphan,
        "of a registration that never was": forged({ registration: "reg_0000000000000000000000" }),
        "a key of another deployment": (await registerKey(other)).credential,
      };
      const faces = new Map();
      for (const [name, presented] of Object.entries(wrong)) {
        const got = await ask(bearer(presented));
        assert.equal(got.status, 401, name);
        faces.set(name, face(got));
      }
      for (const authorization of ["Bearer", "Bearer  ", "Bearer a b", `Bearer "${genuine}"`, `Bearer ${genuine}, Bearer ${genuine}`, `Token ${genuine}`, genuine, basic("", genuine).authorization]) {
        const got = await ask({ authorization });
        assert.equal(got.status, 401, authorization.slice(0, 20));
        faces.set(authorization, face(got));
      }
      const expected = `Bearer error="invalid_token", error_description="${DESCRIPTION}", scope="api.list api.read", resource_metadata="${metadata()}"`;
      const { headers, body } = await ask(bearer("x"));
      assert.equal(headers.get("www-authenticate"), expected);
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(body.error, "invalid_token");
      const [first] = faces.values();
      for (const [name, seen] of faces) assert.equal(seen, first, name);
    });

    test(`${path} tells a token that lacks a scope which ones the call needs`, async () => {
      const { status, headers, body } = await ask(bearer(await token({ scope: "api.list" })));
      assert.equal(status, 403);
      const challenge = headers.get("www-authenticate");
      assert.match(challenge, /^Bearer error="insufficient_scope", error_description="[^"]+", scope="api\.read", resource_metadata="[^"]+"$/);
      assert.ok(challenge.endsWith(`resource_metadata="${metadata()}"`));
      assert.equal(body.error, "insufficient_scope");
      assert.equal((await ask(bearer(await token({ scope: "api.read" })))).status, 200);
    });

    test(`${path} takes a token from the header and from nowhere else`, async () => {
      const genuine = await token();
      for (const query of [`?access_token=${genuine}`, `?token=${genuine}&authorization=Bearer%20${genuine}`]) {
        const { status, headers } = await ask({}, query);
        assert.equal(status, 401);
        assert.doesNotMatch(headers.get("www-authenticate"), /error=/);
      }
      assert.equal((await ask({ cookie: `access_token=${genuine}`, "x-access-token": genuine, "proxy-authorization": `Bearer ${genuine}` })).status, 401);
      for (const scheme of ["bearer", "BEARER"]) assert.equal((await ask({ authorization: `${scheme} ${genuine}` })).status, 200);
      assert.equal((await ask(bearer(genuine), "?access_token=x")).status, 200);
    });

    test(`${path} is good to the second that the token names`, async () => {
      const exp = Math.floor(Date.now() / 1000) + 2;
      const brief = altered(await token(), { claims: { exp } }, own.seal);
      assert.equal((await ask(bearer(brief))).status, 200);
      await sleep(exp * 1000 - Date.now() + 50);
      assert.equal((await ask(bearer(brief))).status, 401);
    });
  }

  test("/api/v1 answers with problem details, whatever is wrong", async () => {
    const wrong = [await me({}), await me(bearer("x")), await me(bearer(await token({ scope: "api.list" }))), await read(postern.get("/api/v1/nothing")), await read(postern.json("/api/v1/auth/me", {}))];
    assert.deepEqual(wrong.map(({ status }) => status), [401, 401, 403, 404, 405]);
    for (const { status, headers, body } of wrong) {
      assert.equal(headers.get("content-type"), "application/problem+json");
      assert.equal(body.status, status);
      assert.equal(body.type, `${postern.issuer}/auth.md#${body.error}`);
      for (const member of ["title", "detail", "error"]) assert.equal(typeof body[member], "string", member);
    }
  });

  test("the challenge comes with every method that is not a preflight, before the method is judged", async () => {
    for (const method of ["GET", "HEAD", "DELETE", "PUT"]) {
      const { status, headers } = await read(fetch(`${postern.issuer}/mcp`, { method }));
      assert.equal(status, 401, method);
      assert.match(headers.get("www-authenticate"), /resource_metadata="[^"]+\/mcp"/);
    }
    for (const method of ["GET", "DELETE"]) {
      const { status, headers } = await read(fetch(`${postern.issuer}/mcp`, { method, headers: bearer(await token()) }));
      assert.equal(status, 405, method);
      assert.equal(headers.get("allow"), "POST, OPTIONS");
    }
    const head = await read(fetch(`${postern.issuer}/api/v1/auth/me`, { method: "HEAD" }));
    assert.deepEqual([head.status, head.text], [401, ""]);
    assert.match(head.headers.get("www-authenticate"), /resource_metadata=/);
    for (const path of ["/mcp", "/api/v1/auth/me"]) {
      const { status, headers } = await read(fetch(postern.issuer + path, { method: "OPTIONS", headers: { origin: "https://page.example", "access-control-request-method": "POST" } }));
      assert.equal(status, 204);
      assert.equal(headers.get("www-authenticate"), null);
    }
  });
});

describe("who gets in", () => {
  test("/mcp and /api/v1 are one service: each accepts the other's audience, and neither another's", async () => {
    for (const resource of [`${postern.issuer}/mcp`, `${postern.issuer}/api/v1`, undefined]) {
      const presented = await token(resource ? { resource } : {});
      for (const ask of Object.values(SURFACES)) assert.equal((await ask(bearer(presented))).status, 200, resource);
    }
    const foreign = await token({ resource: SHOP });
    for (const ask of Object.values(SURFACES)) assert.equal((await ask(bearer(foreign))).status, 401);
  });

  test("the caller is told who it is: by token", async () => {
    const presented = await token({ resource: `${postern.issuer}/api/v1`, scope: "api.read" });
    const { headers, body } = await me(bearer(presented));
    const { registration_expires, ...rest } = body;
    assert.deepEqual(rest, {
      registration_id: mine.registration_id,
      registration_type: "anonymous",
      status: "unclaimed",
      claimed: false,
      scopes: ["api.read"],
      management_scopes: [],
      credential_type: "access_token",
      audience: `${postern.issuer}/api/v1`,
      expires_at: new Date(claims(presented).exp * 1000).toISOString(),
    });
    assert.ok(Date.parse(registration_expires) - Date.now() > 86_000_000);
    assert.equal(headers.get("cache-control"), "no-store");
  });

  test("and by API key, which is accepted wherever a token is", async () => {
    const { credential, registration_id, credential_expires } = await registerKey(postern);
    const { body } = await me(bearer(credential));
    assert.deepEqual([body.registration_id, body.credential_type, body.scopes, body.expires_at], [registration_id, "api_key", ["api.list", "api.read"], credential_expires]);
    assert.equal((await mcp(bearer(credential))).body.result.structuredContent.registration_id, registration_id);
    assert.equal(await call(postern.issuer, (await keyToken(postern, credential)).access_token), 200);
  });
});
