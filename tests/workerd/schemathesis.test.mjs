// schemathesis makes requests out of /openapi.json, the same ones every time, and judges every answer by it: no 5xx, no status, media type,
// header or body that is not described, nothing without a credential that needs one, nothing accepted that does not fit. ROUNDS times a
// hundred by chance, and beside them those at the edges of what is described.
//
// SCHEMATHESIS_REPORT=file keeps what it said.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { call, registerKey } from "./support/agent.mjs";
import { UNHURRIED, child, claimedRoot } from "./support/agentauth.mjs";
import { person } from "./support/oauth.mjs";
import { OPERATOR_KEY, RESOURCE_SERVER_KEY, ROUNDS, address, deploy, root } from "./support/postern.mjs";

const CASES = 100 * ROUNDS;
/** Some are the same as others, and not all can be sent. */
const SPARE = 1.25;
const SEED = "20261123";
const CHECKS = [
  "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance", "response_headers_conformance",
  "ignored_auth", "unsupported_method", "allow_header_conformance", "negative_data_rejection",
];
const METHODS = ["get", "post", "put", "patch", "delete"];
const UNLIMITED = ["REGISTRATIONS", "VOUCHED_REGISTRATIONS", "CLIENTS", "MAILS"].flatMap((what) => [`${what}_PER_NETWORK_PER_HOUR`, `${what}_PER_HOUR`]).filter((name) => name !== "VOUCHED_REGISTRATIONS_PER_HOUR");

let postern, folder;
before(async () => {
  const vars = { ...Object.fromEntries([...UNLIMITED, "MAILS_PER_ADDRESS_PER_HOUR"].map((name) => [name, "100000"])), ...UNHURRIED };
  // Nothing goes to the outside: webhooks, documents of clients.
  const outboundService = () => new Response(null, { status: 204 });
  postern = await deploy({ vars, persist: false, options: { outboundService } });
  folder = mkdtempSync(join(tmpdir(), "postern-schemathesis-"));
});
after(async () => {
  await postern?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Names and secrets that count, so that not all requests end at the door or find nothing. */
async function known() {
  const mine = await claimedRoot(postern, "grace@example.com", { name: "Fuzzed" });
  const [one, two] = [await child(mine), await child(mine)];
  const delegation = await mine.key.createDelegation({ delegate_agent_id: one.id, scopes: ["api.read"] });
  const policy = await mine.key.createPolicy({ name: "Fuzzed", effect: "allow", subjects: { agent_ids: [two.id] }, resources: { paths: ["/files/*"] }, actions: ["read"] });
  const webhook = await mine.key.createWebhook({ url: "https://hooks.example.com/", events: ["*"] });
  const stranger = await registerKey(postern);
  const browser = await person(postern, "ada@example.com");
  await browser.open("/account");
  const csrf = /name="csrf" value="([^"]*)"/.exec(browser.html)[1];
  return {
    key: mine.api_key,
    kept: [mine.id, mine.credential.id],
    spare: one.id,
    cookie: [...browser.cookies].map((pair) => pair.join("=")).join("; "),
    words: {
      agents: [one.id, two.id, stranger.registration_id],
      credentials: [one.credential.id, two.credential.id],
      delegations: [delegation.id],
      policies: [policy.id],
      webhooks: [webhook.id],
      tokens: [one.api_key, two.api_key, stranger.credential, stranger.claim_token],
      forms: [csrf],
    },
  };
}

function settings({ key, cookie, words }) {
  const mostly = (dictionary, places) => places.map((place) => [place, { dictionary, probability: 0.8 }]);
  return [
    ["[cache]", { enabled: false }],
    ["[checks]", { enabled: false, ...Object.fromEntries(CHECKS.map((name) => [name, { enabled: true }])) }],
    ["[headers]", { "cf-connecting-ip": address() }],
    ["[auth.openapi.token]", { bearer: key }],
    ["[auth.openapi.operator]", { bearer: OPERATOR_KEY }],
    ["[auth.openapi.client]", { username: "api", password: RESOURCE_SERVER_KEY }],
    ["[dictionaries]", Object.fromEntries(Object.entries(words).map(([name, values]) => [name, { values }]))],
    ["[parameters]", Object.fromEntries([
      ...mostly("agents", ["path.agent_id", "path.agent", "query.agent_id", "query.parent_agent_id", "body.agent_id", "body.parent_agent_id", "body.delegate_agent_id"]),
      ...mostly("credentials", ["path.credential"]),
      ...mostly("delegations", ["path.id", "body.source_delegation_id", "body.delegation_id"]),
      ...mostly("policies", ["path.policy_id"]),
      ...mostly("webhooks", ["path.webhook_id"]),
      ...mostly("tokens", ["body.token", "body.client_secret", "body.claim_token"]),
      ...mostly("forms", ["body.csrf", "header.X-CSRF"]),
    ])],
    // What signs people out goes without their cookie, which is needed to the end.
    ["[[operations]]", { "include-path-regex": "^/(logout|oauth2/logout)", checks: { negative_data_rejection: { enabled: false } } }],
    // In development, the cookie has another name than the description gives it: it goes with every request, and so does whose it is.
    ["[[operations]]", { "include-path-regex": "^/(account|claim|device|login|oauth2/authorize)", headers: { cookie }, checks: { ignored_auth: { enabled: false }, negative_data_rejection: { enabled: false } } }],
  ].map(([name, fields]) => `${name}\n${Object.entries(fields).map(([key, value]) => `${JSON.stringify(key)} = ${toml(value)}\n`).join("")}`).join("\n");
}

const toml = (value) => (typeof value === "object" && !Array.isArray(value) ? `{ ${Object.entries(value).map(([key, field]) => `${key} = ${toml(field)}`).join(", ")} }` : JSON.stringify(value));

/** Runs it; how it ended and what it said. */
function schemathesis(args, { kept, spare }) {
  const hooks = { SCHEMATHESIS_HOOKS: "schemathesis_hooks", POSTERN_KEPT: kept.join(" "), POSTERN_SPARE: spare };
  const python = { PYTHONPATH: join(root, "tests/workerd/support"), PYTHONDONTWRITEBYTECODE: "1", PYTHONHASHSEED: "0" };
  const env = { ...process.env, ...python, ...hooks, NO_PROXY: "localhost,127.0.0.1", no_proxy: "localhost,127.0.0.1" };
  return new Promise((resolve) => {
    execFile(join(root, ".venv", "bin", "st"), args, { cwd: folder, env, maxBuffer: 1 << 28 }, (error, stdout, stderr) => resolve({ code: error ? error.code : 0, text: stdout + stderr }));
  });
}

test("requests that the description allows, or nearly allows, are answered as it says", async () => {
  const api = await (await postern.get("/openapi.json")).json();
  const operations = Object.values(api.paths).reduce((count, path) => count + METHODS.filter((method) => path[method]).length, 0);
  const [config, report] = ["schemathesis.toml", "report.json"].map((name) => join(folder, name));
  const names = await known();
  writeFileSync(config, settings(names));
  const { code, text } = await schemathesis([
    "--config-file", config, "run", `${postern.issuer}/openapi.json`, "--phases", "coverage,fuzzing",
    "--max-examples", String(Math.ceil((SPARE * CASES) / operations)), "--seed", SEED, "--generation-database", "none", "--workers", "1",
    "--no-shrink", "--suppress-health-check", "all", "--continue-on-failure", "--request-timeout", "20",
    "--warnings", "off", "--no-color", "--report", "json", "--report-json-path", report,
  ], names);
  if (process.env.SCHEMATHESIS_REPORT) writeFileSync(process.env.SCHEMATHESIS_REPORT, text);
  assert.equal(code, 0, text.slice(-30_000));
  const { complete, test_cases: cases, operations: of } = JSON.parse(readFileSync(report, "utf8"));
  assert.ok(complete && of.tested === of.total && of.total >= 90, JSON.stringify(of));
  assert.equal(await call(postern.issuer, names.key), 200, "the key counted to the end");
  assert.ok(cases.generated - cases.without_checks >= CASES, JSON.stringify(cases));
  assert.deepEqual(postern.logs.filter(({ message }) => !message.startsWith("{")).map(({ message }) => message), []);
  assert.equal(await call(postern.issuer, (await registerKey(postern)).credential), 200, "and afterwards all is well");
});
