// npm start: sets up what is missing, builds, and serves on this machine with local KV and Durable Objects.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { environment, fail, root } from "./lib.mjs";

const given = process.argv.slice(2);

/** The value of `--name value` or `--name=value` among the arguments for wrangler. */
function option(name) {
  const at = given.findIndex((argument) => argument === name || argument.startsWith(`${name}=`));
  return at < 0 ? undefined : (given[at].split("=")[1] ?? given[at + 1]);
}

const port = Number(option("--port") ?? 8787);
if (!Number.isInteger(port) || port < 1 || port > 65535) fail("--port must be a port number.");
const origin = `http://localhost:${port}`;

/** Settings of this machine alone: ignored by git, never deployed. */
function developmentVariables() {
  const file = join(root, ".dev.vars");
  if (existsSync(file)) return readFileSync(file, "utf8");
  const shared = [{ network: "127.0.0.0/8", per_hour: 10000 }, { network: "::1/128", per_hour: 10000 }];
  const text = [
    "# Written by the first npm start. Only for this machine; delete it to start afresh.",
    `ISSUER="${origin}"`,
    `POSTERN_SECRET="${randomBytes(32).toString("hex")}"`,
    `OPERATOR_KEY="${randomBytes(32).toString("hex")}"`,
    'DEV="1"',
    `REGISTRATION_LIMIT_OVERRIDES='${JSON.stringify(shared)}'`,
    "",
  ].join("\n");
  writeFileSync(file, text, { mode: 0o600 });
  console.log("• Wrote .dev.vars with fresh secrets for this machine.");
  return text;
}

const began = Date.now();
await build().catch((error) => fail(error.message));
const variables = developmentVariables();
// Another port is another issuer, unless the caller names one.
const named = given.some((argument) => argument.startsWith("ISSUER:"));
const issuer = named || variables.includes(`ISSUER="${origin}"`) ? [] : ["--var", `ISSUER:${origin}`];
const wrangler = join(root, "node_modules", "wrangler", "bin", "wrangler.js");
const args = [wrangler, "dev", "--show-interactive-dev-session=false", ...(option("--port") ? [] : ["--port", String(port)]), ...issuer, ...given];
console.log(`• Starting wrangler dev on ${origin} …`);
const child = spawn(join(root, "node_modules", ".bin", "node"), args, { cwd: root, env: environment(), stdio: ["ignore", "pipe", "inherit"] });

child.stdout.on("data", (data) => {
  process.stdout.write(data);
  if (!/Ready on /.test(data)) return;
  console.log(`\nReady after ${((Date.now() - began) / 1000).toFixed(1)} s. Worth opening:`);
  console.log(`  ${origin}/          what is here`);
  console.log(`  ${origin}/auth.md   what an agent reads`);
  console.log(`  ${origin}/.well-known/oauth-authorization-server\n`);
});
child.on("error", (error) => fail(`wrangler could not be started (${error.code}).`));
child.on("close", (code) => process.exit(code ?? 1));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
