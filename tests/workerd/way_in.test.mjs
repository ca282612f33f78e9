// An agent that knows nothing but a 401, with nothing but an HTTP client: from there to revocation, in every dialect.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { address, deploy } from "./support/postern.mjs";

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

/** From the challenge to the authorization server's metadata, following only what the answers say. */
async function discover() {
  const refused = await fetch(`${postern.issuer}/api/v1/auth/me`);
  assert.equal(refused.status, 401);
  const metadata = /resource_metadata="([^"]+)"/.exec(refused.headers.get("www-authenticate"))[1];
  const resource = await (await fetch(metadata)).json();
  const server = await (await fetch(`${resource.authorization_servers[0]}/.well-known/oauth-authorization-server`)).json();
  assert.equal(server.issuer, resource.authorization_servers[0]);
  const skill = await fetch(server.agent_auth.skill);
  assert.match(skill.headers.get("content-type"), /^text\/markdown/);
  assert.match(await skill.text(), new RegExp(server.token_endpoint));
  return { resource, server };
}

async function post(url, body, type) {
  const response = await fetch(url, { method: "POST", headers: { "content-type": type, "cf-connecting-ip": address() }, body });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}
const json = (url, body) => post(url, JSON.stringify(body), "application/json");
const form = (url, body) => post(url, new URLSearchParams(body).toString(), "application/x-www-form-urlencoded");
const me = async (token) => (await fetch(`${postern.issuer}/api/v1/auth/me`, { headers: { authorization: `Bearer ${token}` } })).status;

async function leave(server, token) {
  assert.equal(await me(token), 200);
  assert.equal((await form(server.revocation_endpoint, { token })).status, 200);
  assert.equal(await me(token), 401);
}

describe("an agent finds its own way in", () => {
  for (const dialect of ["0.7, flat fields", "AuthKit, nested fields"]) {
    test(`auth.md ${dialect}`, async () => {
      const { resource, server } = await discover();
      assert.ok(server.agent_auth.identity_types_supported.includes("anonymous"));
      const { status, body } = await json(server.agent_auth.identity_endpoint, { type: "anonymous" });
      assert.equal(status, 200);
      const assertion = dialect.startsWith("0.7") ? body.identity_assertion : body.identity.assertion;
      const grant_type = server.grant_types_supported.find((grant) => grant.endsWith(":jwt-bearer"));
      const token = await form(server.token_endpoint, { grant_type, assertion, resource: resource.resource });
      assert.equal(token.status, 200);
      assert.equal(token.body.token_type, "Bearer");
      await leave(server, token.body.access_token);
      assert.equal((await form(server.token_endpoint, { grant_type, assertion })).status, 200, "the assertion survives its token");
      await leave(server, (await form(server.token_endpoint, { grant_type, assertion })).body.access_token);
      assert.equal((await form(server.revocation_endpoint, { token: assertion })).status, 200);
      assert.equal((await form(server.token_endpoint, { grant_type, assertion })).body.error, "invalid_grant");
    });
  }

  for (const path of ["what the metadata says", "/api/agent/auth"]) {
    test(`auth.md 0.1 at ${path}`, async () => {
      const { resource, server } = await discover();
      const url = path.startsWith("/") ? postern.issuer + path : server.agent_auth.register_uri;
      assert.deepEqual(server.agent_auth.anonymous.credential_types_supported, ["api_key"]);
      const { status, body } = await json(url, { type: "anonymous", requested_credential_type: "api_key", email: "ada@example.com", agent: "claude-code" });
      assert.equal(status, 200);
      assert.equal(await me(body.credential), 200, "the key itself is accepted");
      const exchange = { grant_type: "client_credentials", client_secret: body.credential, resource: resource.resource };
      const token = await form(server.token_endpoint, exchange);
      assert.equal(token.status, 200);
      await leave(server, token.body.access_token);
      const last = (await form(server.token_endpoint, exchange)).body.access_token;
      assert.equal(await me(last), 200);
      await leave(server, body.credential);
      assert.equal(await me(last), 401, "the key's tokens end with it");
      assert.equal((await form(server.token_endpoint, exchange)).body.error, "invalid_client");
    });
  }
});
