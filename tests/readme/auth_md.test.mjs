// An agent that does literally what /auth.md says: its commands, in its order, and nothing else.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { deploy } from "../workerd/support/postern.mjs";

const bash = async (script, env = {}) => (await promisify(execFile)("bash", ["-euc", script], { env: { ...process.env, ...env } })).stdout;
let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

test("the steps of auth.md lead from nothing to a call and out again", async () => {
  const page = await (await postern.get("/auth.md")).text();
  const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]);
  const find = (...words) => commands.find((command) => words.every((word) => command.includes(word))) ?? assert.fail(`no command with ${words}`);
  const ways = [
    { register: find("/agent/identity"), exchange: find("jwt-bearer"), name: "ASSERTION", field: "identity_assertion" },
    { register: find("/agent/auth"), exchange: find("client_credentials"), name: "API_KEY", field: "credential" },
  ];
  for (const { register, exchange, name, field } of ways) {
    const registration = JSON.parse(await bash(register));
    const credential = registration[field];
    const { access_token: TOKEN, expires_in, scope } = JSON.parse(await bash(exchange, { [name]: credential }));
    assert.ok(expires_in <= 900);
    assert.equal(scope, "api.read");
    const me = JSON.parse(await bash(find("/auth/me"), { TOKEN }));
    assert.equal(me.registration_id, registration.registration_id);
    await bash(find("/oauth2/revoke"), { TOKEN });
    assert.equal(JSON.parse(await bash(find("/auth/me"), { TOKEN })).error, "invalid_token");
  }
  assert.equal(commands.length, 6, "every command was run");
});

test("the challenge on the page is the one that is sent", async () => {
  const page = await (await postern.get("/auth.md")).text();
  const shown = /^WWW-Authenticate: (.*)$/m.exec(page)[1];
  const response = await fetch(`${postern.issuer}/mcp`, { method: "POST" });
  assert.equal(response.headers.get("www-authenticate"), shown);
});
