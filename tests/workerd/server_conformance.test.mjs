// The official conformance suite of MCP against our MCP server: with the fixtures that it asks for, and as it is deployed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build } from "../../scripts/build.mjs";
import { keyToken, registerKey } from "./support/agent.mjs";
import { ok } from "./support/answers.mjs";
import { deploy, freePort, root } from "./support/postern.mjs";

const SUITE = join(root, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
const REVISIONS = ["2025-11-25", "2026-07-28"];
/** What the fixtures leave out because no requirement set scores it: extensions, and what the suite's own server does not pass. */
const UNSCORED = /^(tasks-|json-schema-2020-12|http-custom-header-server-validation|server-sse-polling|server-session-lifecycle)/;
/** What passes without any fixture, and so of what is deployed. */
const BARE = {
  "2025-11-25": ["dns-rebinding-protection", "ping", "server-initialize", "tools-list"],
  "2026-07-28": ["dns-rebinding-protection", "http-header-validation", "input-required-result-unsupported-methods", "input-required-result-validate-input", "server-sse-multiple-streams", "tools-list"],
};

/** The one scenario that wants a session, which no server of ours makes: without one it only warns. */
const SESSION = "server-sse-multiple-streams-session";

let fixtures, bare, folder;
before(async () => {
  await build({ conformance: true });
  folder = mkdtempSync(join(tmpdir(), "postern-conformance-"));
  [fixtures, bare] = await Promise.all([guarded({ build: "build-conformance" }), guarded()]);
});
after(async () => {
  await Promise.all([fixtures?.stop(), bare?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

/** A deployment, and a proxy before it that adds a token: the suite has none. Host and Origin go through as they are. */
async function guarded(options) {
  const postern = await deploy(options);
  const { access_token } = await keyToken(postern, (await registerKey(postern)).credential);
  const port = await freePort();
  const to = new URL(postern.issuer);
  const proxy = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, authorization: `Bearer ${access_token}` };
    const onward = request({ host: to.hostname, port: to.port, path: incoming.url, method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await once(proxy.listen(port, "127.0.0.1"), "listening");
  const stop = async () => {
    proxy.closeAllConnections();
    proxy.close();
    await postern.stop();
  };
  return { postern, url: `http://localhost:${port}/mcp`, stop };
}

/** Runs the suite; what each scenario found, as it wrote it down. */
async function run(name, url, revision) {
  const output = join(folder, name);
  const child = spawn(process.execPath, [SUITE, "server", "--url", url, "--requirements", revision, "--output-dir", output], { stdio: ["ignore", "pipe", "pipe"] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => said.push(data));
  const [code] = await once(child, "close");
  const found = Object.fromEntries(
    readdirSync(output).filter((scenario) => existsSync(join(output, scenario, "checks.json"))).map((scenario) => {
      const checks = JSON.parse(readFileSync(join(output, scenario, "checks.json"), "utf8"));
      return [scenario.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT.*$/, ""), checks];
    }),
  );
  return { code, found, said: Buffer.concat(said).toString() };
}

const failures = (checks) => checks.filter(({ id, status }) => status === "FAILURE" || (status === "WARNING" && id !== SESSION)).map(({ id, errorMessage }) => `${id}: ${errorMessage}`);

/** The scenarios that a revision requires of a server. */
function required(revision) {
  const text = readFileSync(join(root, `node_modules/@modelcontextprotocol/conformance/requirements/${revision}.yaml`), "utf8");
  return /^server:\n((?: {2}- .*\n)+)/m.exec(text)[1].trim().split("\n").map((line) => line.replace(/^ *- /, ""));
}

for (const revision of REVISIONS) {
  test(`with the fixtures everything that ${revision} requires passes, without a warning, by a server that is alive`, async () => {
    assert.equal((await ok(fixtures.postern.get("/ready"))).status, "ready");
    const { code, found, said } = await run(`fixtures-${revision}`, fixtures.url, revision);
    const wanted = required(revision);
    assert.ok(wanted.length >= 30);
    for (const scenario of wanted) {
      // A scenario that was not run counts as passed for the suite; not here.
      assert.ok(found[scenario]?.some(({ id, status }) => status === "SUCCESS" || id === SESSION), `${scenario} has passed nothing`);
      assert.deepEqual(failures(found[scenario]), [], scenario);
    }
    const others = Object.keys(found).filter((scenario) => !wanted.includes(scenario) && !UNSCORED.test(scenario));
    for (const scenario of others) assert.deepEqual(failures(found[scenario]), [], scenario);
    assert.equal(code, 0, said);
  });

  test(`without fixtures what needs none of ${revision} passes`, async () => {
    const { found, said } = await run(`bare-${revision}`, bare.url, revision);
    const passed = Object.keys(found).filter((scenario) => found[scenario].some(({ status }) => status === "SUCCESS") && failures(found[scenario]).length === 0);
    assert.deepEqual(passed.sort(), BARE[revision], said);
  });
}

test("the suite fails where nobody answers: it can tell", async () => {
  const { code } = await run("dead", `http://localhost:${await freePort()}/mcp`, "2026-07-28");
  assert.notEqual(code, 0);
});
