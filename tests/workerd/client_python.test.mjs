// Clients in Python, against the gate as it is: the official MCP client, and authlib.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { REDIRECT, consented, person } from "./support/oauth.mjs";
import { conversation } from "./support/python.mjs";
import { deploy } from "./support/postern.mjs";
import { TOOLS } from "./support/tools.mjs";

let postern, ada;
before(async () => {
  postern = await deploy();
  ada = await person(postern, "ada@example.com");
});
after(() => postern?.stop());

/** What the client is told once the person has said yes. */
const allowed = async (url) => {
  const { to, ...params } = await consented(ada, url);
  return params;
};

describe("the MCP client for Python", () => {
  for (const [mode, version, method] of [["legacy", "2025-11-25", "client_secret_basic"], ["auto", "2026-07-28", "none"], ["auto", "2026-07-28", "client_secret_post"]])
    test(`in mode ${mode}, with ${method}: from the 401 to the tools, an hour later, and in another process, with one look at the person`, async () => {
      const url = `${postern.issuer}/mcp`;
      const { connections, kept, opened, url: sent, registered, client } = await conversation("mcp_client.py", { url, name: `Python ${mode} ${method}`, method, mode }, allowed);
      for (const connection of connections) assert.deepEqual(connection, { version, tools: TOOLS, failed: false });
      assert.deepEqual([opened, registered], [[1, 1, 1], 1]);
      const asked = new URL(sent).searchParams;
      assert.deepEqual([asked.get("resource"), asked.get("code_challenge_method")], [url, "S256"]);
      assert.equal(client.client_secret === undefined, method === "none");
      const [first, second, third] = kept;
      assert.ok(first.refresh_token && first.scope.split(" ").includes("api.read"));
      assert.ok(second.refresh_token !== first.refresh_token && second.access_token !== first.access_token);
      assert.deepEqual(third, second);
    });
});

describe("authlib", () => {
  for (const method of ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"])
    test(`with ${method}: code with PKCE, ID token, userinfo, refresh, introspection and revocation`, async () => {
      const client = { client_name: `authlib ${method}`, redirect_uris: [REDIRECT], grant_types: ["authorization_code", "refresh_token"], response_types: ["code"] };
      const back = async (url) => `${REDIRECT}?${new URLSearchParams(await allowed(url))}`;
      const found = await conversation("authlib_client.py", { issuer: postern.issuer, client, redirect_uri: REDIRECT, method }, back);
      const { claims, token, fresh, person: info } = found;
      assert.deepEqual([found.alg, claims.nonce, claims.iss, claims.aud], ["RS256", found.nonce, postern.issuer, found.client_id]);
      assert.ok(claims.at_hash);
      assert.deepEqual([info.sub, info.email, info.email_verified], [claims.sub, "ada@example.com", true]);
      assert.notEqual(fresh.access_token, token.access_token);
      assert.notEqual(fresh.refresh_token, token.refresh_token);
      assert.deepEqual(found.calls, [200, 200]);
      if (method !== "none") assert.deepEqual([found.known.active, found.known.client_id, found.known.scope.split(" ").sort()], [true, found.client_id, ["api.read", "email", "openid"]]);
      assert.deepEqual([found.ended, found.after], [200, "invalid_grant"]);
    });
});
