// An API on another host: an agent finds its way from that API's 401 to Postern and back, and what is revoked is refused there too.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Miniflare, convertV4MiniflareOptions, Log, LogLevel } from "miniflare";
import { register, exchange, registerKey } from "./support/agent.mjs";
import { basic, bearer, ok, read, refused } from "./support/answers.mjs";
import { bundle } from "./support/bundle.mjs";
import { RESOURCE_SERVER_KEY, address, deploy, freePort } from "./support/postern.mjs";

let postern, worker, api;
before(async () => {
  const port = await freePort();
  api = `http://localhost:${port}/v1`;
  postern = await deploy({
    vars: {
      SCOPES_SUPPORTED: "api.read api.write items.list items.read",
      PRE_CLAIM_SCOPES: "api.read items.list items.read",
      RESOURCES: JSON.stringify([{ uri: api, name: "Items", scopes: ["items.list", "items.read"] }]),
    },
  });
  worker = new Miniflare(
    convertV4MiniflareOptions({
      host: "127.0.0.1",
      port,
      cf: false,
      log: new Log(LogLevel.NONE),
      workers: [
        {
          name: "items",
          modules: true,
          script: await bundle("api_worker.mjs"),
          compatibilityDate: "2026-10-20",
          bindings: { ISSUER: postern.issuer, RESOURCE: api, SERVER_NAME: "api", SERVER_KEY: RESOURCE_SERVER_KEY },
        },
      ],
    }),
  );
  await worker.ready;
});
after(() => Promise.all([postern.stop(), worker.dispose()]));

const visit = (path, token) => read(fetch(api + path, { headers: token ? bearer(token) : {} }));
const form = (url, fields) => read(fetch(url, { method: "POST", body: new URLSearchParams(fields) }));
const parameter = (response, name) => new RegExp(`${name}="([^"]*)"`).exec(response.headers.get("www-authenticate"))?.[1];

/** From the API's address alone to a token for it. */
async function arrive() {
  const stopped = await visit("/items");
  assert.equal(stopped.status, 401);
  const resource = await ok(fetch(parameter(stopped, "resource_metadata")));
  assert.ok(`${api}/items`.startsWith(resource.resource));
  const server = await ok(fetch(`${resource.authorization_servers[0]}/.well-known/oauth-authorization-server`));
  assert.equal(server.issuer, resource.authorization_servers[0]);
  assert.ok(server.protected_resources.includes(resource.resource));
  const identity = await ok(
    fetch(server.agent_auth.identity_endpoint, { method: "POST", headers: { "content-type": "application/json", "cf-connecting-ip": address() }, body: '{"type":"anonymous"}' }),
  );
  const grant_type = server.grant_types_supported.find((grant) => grant.endsWith("jwt-bearer"));
  const token = async (extra = {}) => (await ok(fetch(server.token_endpoint, { method: "POST", body: new URLSearchParams({ grant_type, assertion: identity.identity_assertion, resource: resource.resource, ...extra }) }))).access_token;
  return { server, identity, token, scope: parameter(stopped, "scope") };
}

test("an agent that knows only the API's address gets a token for it and is let in", async () => {
  const { identity, token, scope } = await arrive();
  const presented = await token({ scope });
  for (const path of ["/items", "/orders"]) {
    const { status, body } = await visit(path, presented);
    assert.deepEqual([status, body.caller], [200, identity.registration_id], path);
    assert.ok(body.expires > Date.now() / 1000);
  }
});

test("that token opens none of our own resources, and ours open nothing there", async () => {
  const { identity, token } = await arrive();
  const presented = await token();
  assert.equal((await read(postern.get("/api/v1/auth/me", bearer(presented)))).status, 401);
  const { access_token } = await exchange(postern, identity.identity_assertion);
  const { credential } = await registerKey(postern);
  for (const path of ["/items", "/orders"]) {
    for (const foreign of [access_token, identity.identity_assertion, credential, "x"]) {
      const answer = await visit(path, foreign);
      assert.deepEqual([answer.status, parameter(answer, "error")], [401, "invalid_token"], path);
    }
  }
});

test("a token without the scope that a call needs is sent for more, and gets it", async () => {
  const { token } = await arrive();
  const stopped = await visit("/items", await token({ scope: "items.list" }));
  assert.deepEqual([stopped.status, parameter(stopped, "error"), parameter(stopped, "scope")], [403, "insufficient_scope", "items.read"]);
  assert.equal((await visit("/items", await token({ scope: parameter(stopped, "scope") }))).status, 200);
});

test("after revocation the API that asks refuses at once, and the one that checks offline goes by the status list or the expiry", async () => {
  const { server, token } = await arrive();
  const [presented, other] = [await token(), await token()];
  assert.equal((await form(server.revocation_endpoint, { token: presented })).status, 200);
  const refusal = await visit("/orders", presented);
  assert.deepEqual([refusal.status, parameter(refusal, "error")], [401, "invalid_token"]);
  assert.equal((await visit("/items", presented)).status, 200);
  assert.equal((await visit("/orders", other)).status, 200);
});

test("the scopes of the resource bound its tokens, and a resource that is not configured gets none", async () => {
  const { identity_assertion: assertion } = await register(postern);
  const fields = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion, resource: api };
  assert.equal((await ok(postern.form("/oauth2/token", fields))).scope, "items.list items.read");
  await refused(postern.form("/oauth2/token", { ...fields, scope: "api.read" }), 400, "invalid_scope");
  await refused(postern.form("/oauth2/token", { ...fields, resource: api.replace("/v1", "/v2") }), 400, "invalid_target");
  assert.equal((await read(postern.get("/.well-known/oauth-protected-resource/v1"))).status, 404, "its metadata is its own to serve");
  assert.equal((await ok(postern.form("/oauth2/introspect", { token: (await exchange(postern, assertion, { resource: api })).access_token }, basic("api", RESOURCE_SERVER_KEY)))).aud, api);
});
