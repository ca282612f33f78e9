// Which ways of registering are on, under which names, and in which words one that is off is refused.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deploy } from "./support/postern.mjs";
import { ID_JAG, NO_MAIL, answered, having, members, refused } from "./support/registration.mjs";

const V01 = { type: "anonymous", requested_credential_type: "api_key" };
const PATHS = ["/agent/identity", "/agent/auth"];
const HANDLES = ["claim_token", "claim_token_expires", "claim_url"];

let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

const NAMED = { type: "service_auth", login_hint: "ada@example.com", requested_credential_type: "api_key" };
const OLDER = { type: "identity_assertion", assertion_type: "verified_email", assertion: "ada@example.com", requested_credential_type: "api_key" };
const VOUCHED = { type: "identity_assertion", assertion_type: ID_JAG, assertion: "x.y.z", requested_credential_type: "api_key" };
const TRUSTED_PROVIDERS = JSON.stringify([{ issuer: "https://provider.example.com", name: "Example Provider" }]);
const OFF = { anonymous: [V01, "anonymous_not_enabled"], service_auth: [NAMED, "service_auth_not_enabled"], "service_auth in its older spelling": [OLDER, "service_auth_not_enabled"], identity_assertion: [VOUCHED, "issuer_not_enabled"] };
const DEPLOYMENTS = [
  [{ IDENTITY_TYPES: "none", TRUSTED_PROVIDERS }, []],
  [{ IDENTITY_TYPES: "anonymous", TRUSTED_PROVIDERS }, ["anonymous"]],
  [{ IDENTITY_TYPES: "service_auth", TRUSTED_PROVIDERS }, ["service_auth", "service_auth in its older spelling"]],
  [{ IDENTITY_TYPES: "identity_assertion" }, []],
  [{ IDENTITY_TYPES: "identity_assertion", TRUSTED_PROVIDERS }, ["identity_assertion"]],
  [NO_MAIL, ["anonymous"]],
];
for (const [vars, on] of DEPLOYMENTS)
  test(`registration names the methods that are off: ${vars === NO_MAIL ? "MAIL=none" : Object.entries(vars).map(([name, value]) => (name === "IDENTITY_TYPES" ? value : "with a provider")).join(" ")}`, () =>
    having(vars, async (one) => {
      for (const path of PATHS) {
        for (const [method, [body, code]] of Object.entries(OFF)) {
          const answer = await one.json(path, body);
          if (!on.includes(method)) await refused(answer, 400, code);
          else if (method !== "identity_assertion") await answered(answer, 200);
          else assert.notEqual((await answered(answer, 400)).error, code, path);
        }
      }
    }));

test("registration takes verified_email for service_auth, and each path answers in its own words", async () => {
  const assertion = "ada.older@example.com";
  const newer = await answered(await postern.json("/agent/identity", { ...OLDER, assertion }), 200);
  assert.deepEqual([newer.registration_type, newer.type], ["service_auth", "service_auth"]);
  const older = await answered(await postern.json("/agent/auth", { ...OLDER, assertion }), 200);
  members(older, HANDLES, "post_claim_scopes", "registration_id", "registration_type");
  assert.equal(older.registration_type, "email-verification");
  assert.equal(older.claim_url, `${postern.issuer}/agent/auth/claim`);
});

test("a refresh is taken where refresh tokens are of use, and nowhere else", async () => {
  const refresh = { type: "refresh", refresh_token: "art_x" };
  await refused(await postern.json("/agent/identity", refresh), 400, "invalid_refresh_token");
  await refused(await postern.json("/agent/auth", { ...V01, ...refresh }), 400, "invalid_request");
});
