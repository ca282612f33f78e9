// The official conformance suite of MCP against our authorization server.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createInterface } from "node:readline";
import { ok } from "./support/answers.mjs";
import { consented, person, register } from "./support/oauth.mjs";
import { deploy, freePort, root } from "./support/postern.mjs";

const SUITE = join(root, "node_modules/@modelcontextprotocol/conformance/dist/index.js");
const WANTED = ["authorization-code-grant", "authorization-server-metadata", "authorization-server-metadata-cimd"];

let postern, ada, folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "postern-conformance-"));
  postern = await deploy();
  ada = await person(postern, "ada@example.com");
});
after(async () => {
  await postern?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the suite; the person goes where it says. What it found, as it wrote it down. */
async function run(name, issuer, options, visit) {
  const output = join(folder, name);
  const child = spawn(process.execPath, [SUITE, "authorization", "--url", issuer, "--output-dir", output, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const said = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(line);
      if (line.startsWith(`${issuer}/oauth2/authorize?`)) await visit(line);
    }
  } finally {
    child.kill();
  }
  const [code] = await ended;
  const checks = readdirSync(output).flatMap((scenario) => JSON.parse(readFileSync(join(output, scenario, "checks.json"), "utf8")));
  return { code, checks, said: said.join("\n") };
}

/** The person answers, and their browser goes back to the suite. */
async function visit(url) {
  const { to, ...params } = await consented(ada, url);
  const back = await fetch(`${to}?${new URLSearchParams(params)}`);
  assert.equal(back.status, 200);
}

test("the suite's authorization scenarios pass, every check of them, with a server that is alive", async () => {
  assert.equal((await ok(postern.get("/ready"))).status, "ready");
  const port = await freePort();
  const { client_id } = await register(postern, { client_name: "Conformance suite", redirect_uris: [`http://127.0.0.1:${port}/callback`], application_type: "native" });
  const { code, checks, said } = await run("alive", postern.issuer, ["--client-id", client_id, "--port", String(port), "--resource", `${postern.issuer}/mcp`], visit);
  // A check that is skipped, or missing, counts as passed for the suite; not here.
  assert.deepEqual(checks.map(({ id, status }) => [id, status]).sort(), WANTED.map((id) => [id, "SUCCESS"]), said);
  assert.equal(code, 0, said);
});

test("the suite fails where nobody answers: it can tell", async () => {
  const nobody = `http://localhost:${await freePort()}`;
  const { code, checks } = await run("dead", nobody, ["--client-id", "any", "--port", String(await freePort())], visit);
  assert.equal(code, 1);
  assert.ok(checks.length > 0 && checks.every(({ status }) => status === "FAILURE"), JSON.stringify(checks));
});
