// Runs what the README shows: `npm start` as a user would, then its commands and its snippets against it.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { freePort, root } from "../workerd/support/postern.mjs";
import { python } from "../workerd/support/python.mjs";

const readme = readFileSync(join(root, "README.md"), "utf8");
// Between two fences stands a block; between two blocks stands prose.
const fenced = readme.split(/^```/m).filter((_, index) => index % 2 === 1);
const blocks = (language) => fenced.filter((block) => block.startsWith(`${language}\n`)).map((block) => block.slice(language.length + 1));
const exec = promisify(execFile);
const RESOURCE = "https://api.example.com/v1";
const SERVER_KEY = "a-key-of-the-api-for-this-test-only";
let child, issuer, folder, output;

before(async () => {
  const port = await freePort();
  issuer = `http://localhost:${port}`;
  folder = mkdtempSync(join(tmpdir(), "postern-readme-"));
  const resources = /`(\[\{"uri".*?\}\])`/.exec(readme)[1];
  const digest = createHash("sha256").update(SERVER_KEY).digest("hex");
  const args = ["start", "--", "--port", String(port), "--inspector-port", String(await freePort()), "--persist-to", join(folder, "state")];
  child = spawn("npm", [...args, "--var", `RESOURCES:${resources}`, "--var", `RESOURCE_SERVER_KEYS:api:${digest}`], { cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  output = "";
  const ready = new Promise((resolve, reject) => {
    const read = (data) => {
      output += data;
      if (/Worth opening:\n(.*\n){3}/.test(output)) resolve();
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("close", () => reject(new Error(output)));
    setTimeout(() => reject(new Error(`not ready in time:\n${output}`)), 300_000).unref();
  });
  await ready;
});

after(async () => {
  const ended = new Promise((resolve) => child.on("close", resolve));
  process.kill(-child.pid, "SIGINT");
  await ended;
  rmSync(folder, { recursive: true, force: true });
});

const here = (script) => script.replaceAll("http://localhost:8787", issuer).replaceAll(/https:\/\/(auth\.example\.com|YOUR-HOST)/g, issuer);
const bash = async (script, env = {}) => (await exec("bash", ["-euo", "pipefail", "-c", here(script)], { env: { ...process.env, ...env } })).stdout;
const operatorKey = () => /OPERATOR_KEY="(\w+)"/.exec(readFileSync(join(root, ".dev.vars"), "utf8"))[1];

/** A token for the API of the README. */
const token = async () =>
  JSON.parse(
    await bash(`
      ASSERTION=$(curl -s http://localhost:8787/agent/identity -H 'Content-Type: application/json' -d '{"type":"anonymous"}' | sed 's/.*"identity_assertion":"\\([^"]*\\)".*/\\1/')
      curl -sf http://localhost:8787/oauth2/token -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d resource=${RESOURCE} -d assertion="$ASSERTION"`),
  ).access_token;

describe("the README", () => {
  test("npm start names three addresses worth opening, and they answer", async () => {
    const urls = [...output.split("Worth opening:")[1].matchAll(/http:\S+/g)].map((match) => match[0]);
    assert.equal(urls.length, 3);
    for (const url of urls) assert.equal((await fetch(url)).status, 200, url);
    assert.ok(existsSync(join(root, ".dev.vars")));
  });

  test("an agent's way in works as it is written", async () => {
    const printed = await bash(blocks("sh").join("\n"));
    assert.match(printed, /resource_metadata=/);
    assert.match(printed, /"registration_id":"reg_/);
    assert.match(printed, /401\s/);
    assert.match(printed, /"user_code":"\d{6}"/);
    assert.match(printed, /"error":"authorization_pending"[^]*$/);
  });

  test("the operator's commands work", async () => {
    const env = { OPERATOR_KEY: operatorKey() };
    const command = blocks("").find((block) => block.includes("/operator/keys/rotate"));
    await token();
    const [rotate, revoke] = command.split(/\n(?=curl)/);
    const rotated = JSON.parse(await bash(rotate, env));
    const next = rotated.keys.find((key) => key.state === "next").kid;
    const revoked = JSON.parse(await bash(revoke.replace("…", next), env));
    assert.ok(!revoked.keys.some((key) => key.kid === next), JSON.stringify(revoked));
  });

  test("the operator's commands about registrations and people work", async () => {
    const env = { OPERATOR_KEY: operatorKey() };
    const [end, suspend] = blocks("").find((block) => block.includes("/operator/people/suspend")).split(/\n(?=curl)/);
    const taken = await token();
    const registration = JSON.parse(Buffer.from(taken.split(".")[1], "base64url")).sub;
    assert.deepEqual(JSON.parse(await bash(end.replace("reg_…", registration), env)), { registration_id: registration, status: "revoked" });
    assert.equal(JSON.parse(await bash(suspend, env)).error, "not_found", "nobody has that address yet");
  });

  test("the operator's commands about clients work", async () => {
    const env = { OPERATOR_KEY: operatorKey() };
    const [make, list, end] = blocks("").find((block) => block.includes("/operator/clients")).split(/\n(?=curl)/);
    const made = JSON.parse(await bash(make, env));
    assert.ok(made.client_id && made.client_secret, JSON.stringify(made));
    assert.ok((await bash(list, env)).includes(made.client_id));
    await bash(end.replace("cli_…", made.client_id), env);
    assert.ok(!(await bash(list, env)).includes(made.client_id));
  });

  test("a device asks and polls as it is written", async () => {
    const client = { client_name: "Device", redirect_uris: ["http://localhost/cb"], token_endpoint_auth_method: "none", grant_types: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"] };
    const registered = await fetch(`${issuer}/oauth2/register`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(client) });
    const env = { CLIENT_ID: (await registered.json()).client_id };
    const [ask, poll] = blocks("").find((block) => block.includes("/oauth2/device_authorization")).split(/\n(?=curl)/);
    const { device_code, user_code } = JSON.parse(await bash(ask, env));
    assert.match(user_code, /^[A-Z]{4}-[A-Z]{4}$/);
    assert.equal(JSON.parse(await bash(poll, { ...env, DEVICE_CODE: device_code })).error, "authorization_pending");
  });

  test("the operator's commands about clients that do not get in work", async () => {
    const env = { OPERATOR_KEY: operatorKey() };
    const [list, one] = blocks("").find((block) => block.includes("/operator/traces")).split(/\n(?=curl)/);
    assert.ok(Array.isArray(JSON.parse(await bash(list, env)).traces));
    assert.equal(JSON.parse(await bash(one, env)).error, "not_found", "nobody has that reference");
  });

  test("introspection by the API works", async () => {
    const command = blocks("").find((block) => block.includes("/oauth2/introspect"));
    const answer = JSON.parse(await bash(command, { KEY: SERVER_KEY, TOKEN: await token() }));
    assert.equal(answer.active, true);
    assert.equal(answer.aud, RESOURCE);
    const digest = (await bash('printf %s "$KEY" | sha256sum', { KEY: SERVER_KEY })).split(" ")[0];
    assert.equal(digest, createHash("sha256").update(SERVER_KEY).digest("hex"));
  });

  test("the JavaScript snippet checks a token", async () => {
    const file = join(root, "target", `readme-${process.pid}.mjs`);
    writeFileSync(file, here(blocks("js")[0]));
    try {
      const { check } = await import(file);
      assert.deepEqual((await check(await token())).scopes, ["api.read"]);
      await assert.rejects(check("a.b.c"));
    } finally {
      rmSync(file);
    }
  });

  test("the Python snippet checks a token", async () => {
    const script = `${here(blocks("python")[0])}\nimport sys, json\nprint(json.dumps(check(sys.argv[1])))\n`;
    assert.deepEqual(JSON.parse(await python(["-c", script, await token()])).scopes, ["api.read"]);
    await assert.rejects(python(["-c", script, "a.b.c"]));
  });

  test("the metadata document to paste is the one that an agent understands", async () => {
    const document = JSON.parse(here(blocks("json")[0]));
    assert.deepEqual(document.authorization_servers, [issuer]);
    assert.equal(document.resource, RESOURCE);
  });

  test("every block of commands on the page is run by a test", () => {
    const known = ["npm start", "operator/keys/rotate", "operator/people/suspend", "oauth2/introspect", "operator/clients", "oauth2/device_authorization", "operator/traces", "edge ──►"];
    // What needs an account elsewhere.
    const elsewhere = ["wrangler secret put UPSTREAM_SECRETS"];
    known.push(...elsewhere);
    for (const block of blocks("")) assert.ok(known.some((word) => block.includes(word)), block);
    assert.deepEqual([blocks("js").length, blocks("python").length, blocks("json").length], [1, 1, 1]);
  });
});
