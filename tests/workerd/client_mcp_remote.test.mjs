// mcp-remote, as desktop programs start it: three at once, with one folder for what they keep.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { consented, person } from "./support/oauth.mjs";
import { deploy, root } from "./support/postern.mjs";
import { TOOLS } from "./support/tools.mjs";

const REMOTE = join(root, "node_modules/mcp-remote/dist/proxy.js");
const THREE = [1, 2, 3];

let postern, ada, folder, running;
let watching = true;
const opened = [];
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "postern-mcp-remote-"));
  postern = await deploy();
  ada = await person(postern, "ada@example.com");
  // What is started as a browser leaves the address here.
  mkdirSync(join(folder, "opened"));
  const browser = join(folder, "browser");
  writeFileSync(browser, '#!/bin/sh\nprintf %s "$1" > "$OPENED/.$$" && mv "$OPENED/.$$" "$OPENED/$$"\n');
  chmodSync(browser, 0o755);
  running = watch();
});
after(async () => {
  watching = false;
  await running;
  await postern?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The person goes wherever a browser is sent, and back to the program that waits. */
async function watch() {
  const seen = new Set();
  while (watching) {
    for (const name of readdirSync(join(folder, "opened")).filter((name) => !name.startsWith(".") && !seen.has(name))) {
      seen.add(name);
      const url = readFileSync(join(folder, "opened", name), "utf8");
      opened.push(url);
      const { to, ...params } = await consented(ada, url);
      await (await fetch(`${to}?${new URLSearchParams(params)}`)).text();
    }
    await sleep(100);
  }
}

/** Everything at once, as a program does that starts. */
const start = () => Promise.all(THREE.map(connect));

async function connect() {
  const { PATH } = process.env;
  const env = { PATH, HOME: folder, MCP_REMOTE_CONFIG_DIR: join(folder, "kept"), BROWSER: join(folder, "browser"), OPENED: join(folder, "opened"), NO_PROXY: "localhost,127.0.0.1" };
  const transport = new StdioClientTransport({ command: process.execPath, args: [REMOTE, `${postern.issuer}/mcp`, "--auth-timeout", "60"], env, stderr: "pipe" });
  let said = "";
  transport.stderr.on("data", (chunk) => (said += chunk));
  const client = new Client({ name: "desktop", version: "1" });
  try {
    await client.connect(transport, { timeout: 90_000 });
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name), TOOLS);
    return client;
  } catch (error) {
    await client.close().catch(() => {});
    throw new Error(`${error.message}\n${said}`, { cause: error });
  }
}

/** The file that they keep tokens in, and what it says. */
function tokens(change) {
  const within = join(folder, "kept", readdirSync(join(folder, "kept"))[0]);
  const path = join(within, readdirSync(within).find((name) => name.endsWith("_tokens.json")));
  const known = JSON.parse(readFileSync(path, "utf8"));
  if (change) writeFileSync(path, JSON.stringify({ ...known, ...change }));
  return known;
}

const asked = (route) => postern.lines().filter((line) => line.event === "request" && line.route === route);
const client_id = () => new URL(opened[0]).searchParams.get("client_id");
const close = (clients) => Promise.all(clients.map((client) => client.close()));

test("three instances that start at once are one client, ask the person once, and all have the tools (row 20)", async () => {
  const three = await start();
  assert.deepEqual(new Set(asked("register_client").map(({ status }) => status)), new Set([201]));
  assert.equal(new Set(opened.map((url) => new URL(url).searchParams.get("client_id"))).size, 1);
  assert.equal(opened.length, 1);
  await close(three);
});

test("three that start with a token that has ended all refresh it, and none loses what the others got (row 25)", async () => {
  const { refresh_token } = tokens({ access_token: "forgotten" });
  await close(await start());
  assert.notEqual(tokens().refresh_token, refresh_token);
  assert.deepEqual(asked("token").filter(({ status }) => status !== 200), []);
  assert.equal(opened.length, 1, "nobody is asked again");
});

test("three that run are told at once that their token has ended: all go on (row 25)", async () => {
  const three = await start();
  const { access_token, refresh_token } = tokens();
  const revoked = await postern.form("/oauth2/revoke", { token: access_token, client_id: client_id() });
  assert.equal(revoked.status, 200);
  await sleep(1100);
  for (const { tools } of await Promise.all(three.map((client) => client.listTools()))) assert.equal(tools.length, TOOLS.length);
  assert.notEqual(tokens().refresh_token, refresh_token);
  await close(three);
  await close(await start());
  assert.deepEqual(asked("token").filter(({ status }) => status !== 200), []);
  assert.equal(opened.length, 1);
});
