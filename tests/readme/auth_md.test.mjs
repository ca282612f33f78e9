// An agent that does literally what /auth.md says: its commands, in its order, and nothing else.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { Browser, codeOn } from "../workerd/support/person.mjs";
import { deploy } from "../workerd/support/postern.mjs";

const bash = async (script, env = {}) => (await promisify(execFile)("bash", ["-euc", script], { env: { ...process.env, ...env } })).stdout;
let postern;
before(async () => (postern = await deploy()));
after(() => postern.stop());

/** The page's commands, and the one that has these words. */
async function page() {
  const text = await (await postern.get("/auth.md")).text();
  const commands = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map((match) => match[1]);
  const find = (...words) => {
    const found = commands.find((command) => words.every((word) => command.includes(word))) ?? assert.fail(`no command with ${words}`);
    ran.add(found);
    return found;
  };
  return { commands, find };
}
const ran = new Set();

test("the steps of auth.md lead from nothing to a call and out again", async () => {
  const { find } = await page();
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
});

test("the steps of auth.md lead an agent to its person, by the code that is typed", async () => {
  const { find } = await page();
  const registration = JSON.parse(await bash(find("/agent/identity", "anonymous")));
  const env = { CLAIM_TOKEN: registration.claim_token, EMAIL: "typed@example.com" };
  const started = JSON.parse(await bash(find("/agent/identity/claim", "login_hint"), env));
  assert.equal(JSON.parse(await bash(find("grant-type:claim"), env)).error, "authorization_pending");
  const person = await new Browser(postern).signIn(env.EMAIL, started.claim_attempt.verification_uri);
  await person.submit("/agent/identity/claim/complete", { user_code: started.claim_attempt.user_code });
  const claimed = JSON.parse(await bash(find("grant-type:claim"), env));
  const me = JSON.parse(await bash(find("/auth/me"), { TOKEN: claimed.access_token }));
  assert.deepEqual([me.claimed, me.scopes], [true, ["api.read", "api.write"]]);
  await renewed(find, claimed.identity.refresh_token.value);
});

test("the steps of auth.md lead an agent to its person, by the code that is read out", async () => {
  const { find } = await page();
  for (const [way, email] of [["anonymous", "read@example.com"], ["service_auth", "named@example.com"]]) {
    const registration = JSON.parse(await bash(find("/agent/identity \\", way), { EMAIL: email }));
    const env = { CLAIM_TOKEN: registration.claim.token, EMAIL: email };
    const started = way === "anonymous" ? JSON.parse(await bash(find("/agent/identity/claim", "service_auth"), env)) : registration.claim;
    const person = await new Browser(postern).signIn(email, started.attempt.verification_uri);
    await person.submit("/claim/code");
    const claimed = JSON.parse(await bash(find("/claim/complete"), { ...env, USER_CODE: codeOn(person.html) }));
    await renewed(find, claimed.identity.refresh_token.value);
  }
});

async function renewed(find, REFRESH_TOKEN) {
  const { identity } = JSON.parse(await bash(find("refresh_token"), { REFRESH_TOKEN }));
  const { scope } = JSON.parse(await bash(find("jwt-bearer"), { ASSERTION: identity.assertion }));
  assert.equal(scope, "api.read api.write");
}

test("every command of auth.md is run by a test above", async () => {
  const { commands } = await page();
  assert.deepEqual(commands.filter((command) => !ran.has(command)), []);
});

test("the challenge on the page is the one that is sent", async () => {
  const page = await (await postern.get("/auth.md")).text();
  const shown = /^WWW-Authenticate: (.*)$/m.exec(page)[1];
  const response = await fetch(`${postern.issuer}/mcp`, { method: "POST" });
  assert.equal(response.headers.get("www-authenticate"), shown);
});
