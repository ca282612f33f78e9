// A worker that is configured wrongly does nothing at all, and its log says everything that is wrong.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "./support/agent.mjs";
import { deploy } from "./support/postern.mjs";

const SECRETS = {
  POSTERN_SECRET: "tooshort-p4ssw0rd",
  OPERATOR_KEY: "tooshort-0per4tor",
  RESOURCE_SERVER_KEYS: "api:n0t-a-d1gest",
  POSTERN_SECRETS: "a-s3cret-under-a-mistyped-name-0123456789",
};
/** Well formed, and to be kept from answers and log all the same. */
const KEPT = { MAIL_API_KEY: "re_k3pt-fr0m-everybody-0123456789", POSTERN_SECRET_PREVIOUS: "the-secret-b3fore-this-one-0123456789" };
const PEOPLE = { IDENTITY_TYPES: "robot", MAIL: "pigeon", MAIL_API_URL: "http://mail.example.com", MAILS_PER_HOUR: "0", SESSION_TTL: "1", SESSION_IDLE_TTL: "x", CLAIM_CODE: "shouted", SCOPE_DESCRIPTIONS: "{", THEME_COLOR: "red", TRUSTED_PROVIDERS: '[{"issuer":"http://provider.example.com","name":""}]', VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR: "-1" };
const FAULTY = { ...SECRETS, ...PEOPLE, ISSUER: null, FROBNICATE: "1", ACCESS_TOKEN_TTL: "5", RESOURCES: "{", AUTH_MD_DIALECTS: "0.9", SCOPES_SUPPORTED: 'a"b', REGISTRATION_LIMIT_OVERRIDES: '[{"network":"10.0.0.0/40","per_hour":1}]' };
const REQUESTS = [["GET", "/"], ["GET", "/health"], ["GET", "/ready"], ["GET", "/auth.md"], ["GET", "/.well-known/oauth-authorization-server"], ["POST", "/agent/identity"], ["POST", "/oauth2/token"], ["GET", "/api/v1/auth/me"], ["OPTIONS", "/mcp"], ["GET", "/nowhere"], ["GET", "/login"], ["GET", "/claim"], ["GET", "/account"], ["GET", "/dev/outbox"], ["POST", "/agent/identity/claim"], ["POST", "/agent/event/notify"]];

describe("a misconfigured worker", () => {
  let faulty;
  before(async () => (faulty = await deploy({ vars: { ...FAULTY, ...KEPT }, persist: false })));
  after(() => faulty.stop());

  test("answers everything with 500 and one fixed text that gives nothing away", async () => {
    const texts = new Set();
    for (const [method, path] of REQUESTS) {
      const response = await fetch(faulty.issuer + path, { method });
      assert.equal(response.status, 500, path);
      assert.match(response.headers.get("content-type"), /^application\/json/);
      assert.match(response.headers.get("x-request-id"), /^[0-9a-f]{16}$/);
      assert.equal(response.headers.get("cache-control"), "no-store");
      texts.add(await response.text());
    }
    assert.equal(texts.size, 1);
    const [text] = texts;
    assert.equal(JSON.parse(text).error, "server_error");
    for (const word of [...Object.keys(FAULTY), ...Object.keys(KEPT), ...Object.values(SECRETS), ...Object.values(KEPT)]) assert.ok(!text.includes(word), word);
  });

  test("logs every fault at once, and the value of no secret", async () => {
    await faulty.get("/");
    await until(() => faulty.lines().some((line) => line.status === 500));
    const { level, reason } = faulty.lines().find((line) => line.status === 500);
    assert.equal(level, "error");
    for (const name of Object.keys(FAULTY)) assert.ok(new RegExp(`\\b${name}: `).test(reason), `${name} is named`);
    const everything = JSON.stringify(faulty.logs);
    for (const secret of [...Object.values(SECRETS), ...Object.values(KEPT), "n0t-a-d1gest"]) assert.ok(!everything.includes(secret), secret);
  });

  test("does nothing meanwhile: no object is made", async () => {
    for (const kind of ["CELL", "ACCOUNT"]) assert.deepEqual(await faulty.mf.listDurableObjectIds(kind), [], kind);
  });
});

describe("one fault is enough:", () => {
  const ONE = {
    "an unknown variable": { UNKNOWN: "x" },
    "no issuer": { ISSUER: null },
    "no secret": { POSTERN_SECRET: null },
    "an http issuer without DEV": { DEV: null },
    "DEV with an https issuer": { ISSUER: "https://auth.example.com" },
    "DEV with an http issuer that is not on loopback": { ISSUER: "http://auth.example.com" },
    "an issuer with a trailing slash": { ISSUER: "https://auth.example.com/", DEV: null },
    "mail over HTTP without a key": { MAIL_API_KEY: null, MAIL: "http", MAIL_FROM: "login@example.com", DEV: null, ISSUER: "https://auth.example.com" },
    "mail without a sender": { MAIL_FROM: null, MAIL: "cloudflare", DEV: null, ISSUER: "https://auth.example.com" },
    "a provider on loopback outside development": { TRUSTED_PROVIDERS: '[{"issuer":"http://localhost:9","name":"Local"}]', DEV: null, ISSUER: "https://auth.example.com" },
    "a provider of our own name": { TRUSTED_PROVIDERS: '[{"issuer":"https://auth.example.com","name":"We"}]', DEV: null, ISSUER: "https://auth.example.com" },
    "an issuer with a path": { ISSUER: "https://auth.example.com/tenant", DEV: null },
  };
  for (const [fault, vars] of Object.entries(ONE))
    test(fault, async () => {
      const faulty = await deploy({ vars, persist: false });
      try {
        const answer = await faulty.get("/.well-known/oauth-authorization-server");
        assert.equal(answer.status, 500);
        assert.equal((await answer.json()).error, "server_error");
        await until(() => faulty.lines().some(({ reason }) => reason?.includes(Object.keys(vars)[0] === "DEV" ? "ISSUER" : Object.keys(vars)[0])));
      } finally {
        await faulty.stop();
      }
    });
});
