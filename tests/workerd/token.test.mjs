// The token endpoint: what it reads, what it refuses, and what is in a token.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { JWT_BEARER, call, claims, exchange, keyToken, register, registerKey } from "./support/agent.mjs";
import { ok, read, refused } from "./support/answers.mjs";
import { CLAIM } from "./support/claim.mjs";
import { ROUNDS, deploy } from "./support/postern.mjs";

const SHOP = "https://shop.example/v1";
let postern, assertion, key;
before(async () => {
  postern = await deploy({
    vars: {
      SCOPES_SUPPORTED: "api.list api.read api.write shop.read",
      PRE_CLAIM_SCOPES: "api.list api.read shop.read",
      POST_CLAIM_SCOPES: "api.list api.read api.write shop.read",
      RESOURCES: JSON.stringify([{ uri: SHOP, scopes: ["shop.read"], alternates: ["https://www.shop.example/v1"] }, { uri: "https://desk.example", scopes: ["api.write"] }]),
    },
  });
  assertion = (await register(postern)).identity_assertion;
  key = (await registerKey(postern)).credential;
});
after(() => postern.stop());

const ask = (fields, headers, path = "/oauth2/token") => postern.form(path, fields, headers);
const grant = (fields = {}) => ask({ grant_type: JWT_BEARER, assertion, ...fields });
const send = (body, type, path = "/oauth2/token") =>
  fetch(postern.issuer + path, { method: "POST", headers: type ? { "content-type": type } : {}, body: new TextEncoder().encode(body) });
const FORM = "application/x-www-form-urlencoded";
const good = () => new URLSearchParams({ grant_type: JWT_BEARER, assertion }).toString();

describe("the request", () => {
  test("the endpoint has three names, and the metadata gives one of them", async () => {
    const { token_endpoint } = await ok(postern.get("/.well-known/oauth-authorization-server"));
    assert.equal(token_endpoint, `${postern.issuer}/oauth2/token`);
    for (const path of ["/oauth2/token", "/oauth/token", "/token"]) {
      const { access_token } = await ok(ask({ grant_type: JWT_BEARER, assertion }, {}, path));
      assert.equal(await call(postern.issuer, access_token), 200, path);
    }
  });

  test("method, case and trailing slash count", async () => {
    for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE"]) {
      const { status, headers } = await read(fetch(`${postern.issuer}/oauth2/token`, { method }));
      assert.equal(status, 405, method);
      assert.match(headers.get("allow"), /\bPOST\b/);
    }
    assert.equal((await read(fetch(`${postern.issuer}/oauth2/token`, { method: "OPTIONS" }))).status, 204);
    for (const path of ["/OAuth2/Token", "/oauth2/token/", "/oauth2//token", "/Token", "/token/"]) await refused(send(good(), FORM, path), 404, "not_found", path);
  });

  test("only a form is read", async () => {
    for (const type of ["application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencodedx", null]) {
      await refused(send(good(), type), 415, "unsupported_media_type", String(type));
    }
    await refused(send(JSON.stringify({ grant_type: JWT_BEARER, assertion }), "application/json"), 415, "unsupported_media_type");
    for (const type of [`${FORM}; charset=UTF-8`, FORM.toUpperCase()]) assert.equal((await read(send(good(), type))).status, 200, type);
  });

  test("a repeated parameter is refused, whichever it is and however it is written", async () => {
    for (const more of ["grant_type=x", `assertion=${assertion}`, "%61ssertion=x", "scope=api.read&scope=api.read", "scope=&scope=api.read", "unknown=1&unknown=1"]) {
      await refused(send(`${good()}&${more}`, FORM), 400, "invalid_request", more);
    }
  });

  test("the query string is not read", async () => {
    await refused(send("", FORM, `/oauth2/token?${good()}`), 400, "invalid_request");
    assert.equal((await ok(send(good(), FORM, "/oauth2/token?scope=api.read&grant_type=x"))).scope, "api.list api.read shop.read");
  });

  test("a missing or empty parameter is an invalid request, an unknown grant an unsupported one", async () => {
    for (const fields of [{}, { assertion }, { grant_type: "", assertion }, { grant_type: JWT_BEARER }, { grant_type: JWT_BEARER, assertion: "" }]) {
      await refused(ask(fields), 400, "invalid_request", JSON.stringify(fields));
    }
    for (const grant_type of ["password", "implicit", "Client_Credentials", `${JWT_BEARER} `, `${CLAIM} `, CLAIM.toUpperCase()]) {
      await refused(ask({ grant_type, assertion, client_secret: key, claim_token: "x" }), 400, "unsupported_grant_type", grant_type);
    }
    for (const fields of [{ grant_type: CLAIM }, { grant_type: CLAIM, claim_token: "" }, { grant_type: CLAIM, assertion, client_secret: key }]) {
      await refused(ask(fields), 400, "invalid_request", JSON.stringify(fields));
    }
    await refused(ask({ grant_type: CLAIM, claim_token: "x" }), 400, "expired_token");
  });

  for (const [when, vars] of [["0.7 is off", { AUTH_MD_DIALECTS: "authkit 0.1" }], ["nobody delivers mail", { DEV: null, ISSUER: "https://auth.example.com", MAIL: "none" }]]) {
    test(`where ${when} the claim grant is as unknown as any other, and not listed`, async () => {
      const one = await deploy({ vars, persist: false });
      try {
        for (const fields of [{}, { claim_token: "x" }]) {
          await refused(one.form("/oauth2/token", { grant_type: CLAIM, ...fields }), 400, "unsupported_grant_type");
        }
        const { grant_types_supported } = await ok(one.get("/.well-known/oauth-authorization-server"));
        assert.deepEqual(grant_types_supported.slice(0, 2), [JWT_BEARER, "client_credentials"]);
        assert.ok(!grant_types_supported.includes(CLAIM));
      } finally {
        await one.stop();
      }
    });
  }

  test("what no form can mean is refused and not a fault of ours", async () => {
    for (const body of ["grant_type=%ff", "grant_type=%00", "grant_type=%zz", "=&=&==", "&".repeat(5000), `${"a=1&".repeat(70)}`, "x".repeat(60_000)]) {
      assert.equal((await read(send(body, FORM))).status, 400, body.slice(0, 30));
    }
    await refused(send(`grant_type=${"x".repeat(70_000)}`, FORM), 413, "content_too_large");
  });

  test("nobody keeps an answer, and no page gets at it with its visitor's credentials", async () => {
    for (const answer of [await read(grant()), await read(grant({ scope: "none" })), await read(ask({ grant_type: "client_credentials" }))]) {
      assert.equal(answer.headers.get("cache-control"), "no-store");
      assert.equal(answer.headers.get("pragma"), "no-cache");
      assert.equal(answer.headers.get("access-control-allow-credentials"), null);
      assert.equal(answer.headers.get("set-cookie"), null);
      assert.match(answer.headers.get("content-type"), /^application\/json/);
    }
  });
});

describe("the scope", () => {
  test("without one asked for, all that the agent is entitled to is granted, and the answer says so", async () => {
    for (const fields of [{}, { scope: "" }]) assert.equal((await ok(grant(fields))).scope, "api.list api.read shop.read");
  });

  test("a narrower one is granted as asked", async () => {
    for (const [asked, granted] of [["api.read", "api.read"], ["shop.read api.list", "api.list shop.read"], ["api.read  api.read", "api.read"]]) {
      const { scope, access_token } = await ok(grant({ scope: asked }));
      assert.deepEqual([scope, claims(access_token).scope], [granted, granted], asked);
    }
  });

  test("a wider, unknown or malformed one is refused, and none is not a scope", async () => {
    for (const scope of ["api.write", "api.read api.write", "API.read", "offline_access", 'api.read"', "api.read\u00e9", " ", "   "]) {
      await refused(grant({ scope }), 400, "invalid_scope", JSON.stringify(scope));
    }
  });
});

describe("the resource", () => {
  test("is /mcp unless one is asked for, and one asked for is the audience", async () => {
    const own = (path) => postern.issuer + path;
    const asked = [[undefined, own("/mcp")], ["", own("/mcp")], [own("/mcp"), own("/mcp")], [own("/api/v1"), own("/api/v1")], [SHOP, SHOP]];
    for (const [resource, audience] of asked) {
      const { access_token } = await ok(grant(resource === undefined ? {} : { resource }));
      assert.equal(claims(access_token).aud, audience, resource);
    }
    for (const resource of ["HTTPS://SHOP.example/v1", "https://shop.example:443/v1", "https://www.shop.example/v1"]) {
      assert.equal(claims((await ok(grant({ resource }))).access_token).aud, SHOP, resource);
    }
  });

  test("limits the scope to what is of use there", async () => {
    assert.equal((await ok(grant({ resource: SHOP }))).scope, "shop.read");
    await refused(grant({ resource: SHOP, scope: "api.read" }), 400, "invalid_scope");
    for (const resource of ["https://desk.example", "https://desk.example/"]) await refused(grant({ resource }), 400, "invalid_scope", resource);
  });

  test("with more in its query than ours has is ours (row 11)", async () => {
    const token = await ok(grant({ resource: `${SHOP}?a=1` }));
    assert.equal(claims(token.access_token).aud, SHOP);
  });
  test("a foreign one is an invalid target, and so are two", async () => {
    const foreign = ["https://evil.example", `${SHOP}/`, `${SHOP}#f`, "https://u@shop.example/v1", "shop", `${postern.issuer}/mcp/`, `${postern.issuer}/`, postern.issuer, "http://shop.example/v1"];
    for (const resource of foreign) await refused(grant({ resource }), 400, "invalid_target", resource);
    await refused(send(`${good()}&${new URLSearchParams([["resource", SHOP], ["resource", `${postern.issuer}/mcp`]])}`, FORM), 400, "invalid_target");
    await refused(ask({ grant_type: "client_credentials", client_secret: key, resource: "https://evil.example" }), 400, "invalid_target");
  });
});

describe("the token", () => {
  const header = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url"));
  const whole = (token, registration, audience, scope) => {
    const { jti, iat, exp, status, credential, ...rest } = claims(token);
    assert.match(jti, /^[\w-]{22}$/);
    assert.ok(Number.isInteger(iat) && Math.abs(iat - Date.now() / 1000) < 5);
    assert.equal(exp - iat, 900);
    assert.deepEqual(Object.keys(status.status_list).sort(), ["idx", "uri"]);
    const expected = { iss: postern.issuer, sub: registration, client_id: registration, aud: audience, scope, registration, generation: 0 };
    assert.deepEqual(rest, expected);
    return credential;
  };

  test("has the claims of RFC 9068 and those that our resources need, and no other", async () => {
    const mine = await register(postern);
    const answer = await exchange(postern, mine.identity_assertion);
    assert.deepEqual(Object.keys(answer).sort(), ["access_token", "expires_in", "scope", "token_type"]);
    assert.deepEqual([answer.token_type, answer.expires_in], ["Bearer", 900]);
    const { keys } = await ok(postern.get("/.well-known/jwks.json"));
    assert.deepEqual(header(answer.access_token), { alg: "ES256", typ: "at+jwt", kid: keys[0].kid });
    assert.equal(whole(answer.access_token, mine.registration_id, `${postern.issuer}/mcp`, "api.list api.read shop.read"), undefined);
    const { registration_id, credential } = await registerKey(postern);
    const token = await keyToken(postern, credential, { resource: SHOP });
    assert.deepEqual(whole(token.access_token, registration_id, SHOP, "shop.read"), { id: 0, generation: 0 });
    assert.ok(!token.access_token.includes(credential));
  });

  test("never outlives its registration", async () => {
    const brief = await deploy({ vars: { UNCLAIMED_REGISTRATION_TTL: "60", ACCESS_TOKEN_TTL: "900" } });
    try {
      const mine = await register(brief);
      const { credential, credential_expires } = await registerKey(brief);
      const end = Date.parse(credential_expires) / 1000;
      for (const [answer, until] of [[await exchange(brief, mine.identity_assertion), claims(mine.identity_assertion).exp], [await keyToken(brief, credential), end]]) {
        assert.equal(typeof answer.expires_in, "number");
        assert.ok(answer.expires_in > 50 && answer.expires_in <= 60, `${answer.expires_in}`);
        const { iat, exp } = claims(answer.access_token);
        assert.equal(exp - iat, answer.expires_in);
        assert.ok(exp <= until, `${exp} is after ${until}`);
      }
    } finally {
      await brief.stop();
    }
  });

  test("a hundred requests at once get a hundred tokens, each with a name and a place in a status list of its own", async () => {
    const seen = { jti: new Set(), place: new Set() };
    const mine = [(await register(postern)).identity_assertion, (await register(postern)).identity_assertion];
    const keyed = (await registerKey(postern)).credential;
    const one = (index) => (index % 4 === 3 ? keyToken(postern, keyed) : exchange(postern, mine[index % 2]));
    for (let round = 0; round < ROUNDS; round += 1) {
      const tokens = await Promise.all(Array.from({ length: 100 }, (_, index) => one(index)));
      for (const { access_token } of tokens) {
        const { jti, status } = claims(access_token);
        seen.jti.add(jti);
        seen.place.add(`${status.status_list.uri} ${status.status_list.idx}`);
      }
      assert.deepEqual([seen.jti.size, seen.place.size], [100 * (round + 1), 100 * (round + 1)]);
      const statuses = await Promise.all(tokens.map(({ access_token }) => call(postern.issuer, access_token)));
      assert.ok(statuses.every((status) => status === 200));
    }
  });
});
