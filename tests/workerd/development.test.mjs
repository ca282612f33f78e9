// Development's three legs: a loopback issuer over http, DEV=1, and a request to this machine. Each alone closes what only development has.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { deploy } from "./support/postern.mjs";
import { Browser, mails } from "./support/person.mjs";
import { MAIL, production, PUBLIC } from "./support/production.mjs";
import { send } from "./support/wire.mjs";

const LOOPBACK_PROVIDER = JSON.stringify([{ issuer: "http://localhost:4000", name: "Local" }]);
const ask = async (postern, email) => (await new Browser(postern).open("/login")).submit("/login", { email });

describe("with all three legs", () => {
  let postern;
  before(async () => (postern = await deploy({ vars: { TRUSTED_PROVIDERS: LOOPBACK_PROVIDER } })));
  after(() => postern.stop());

  test("mail stays at /dev/outbox: to, subject, text, links, at, newest first (issue 1)", async () => {
    assert.equal((await ask(postern, "older@example.com")).status, 200);
    assert.equal((await ask(postern, "newer@example.com")).status, 200);
    const answer = await postern.get("/dev/outbox");
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type"), /^application\/json/);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.equal(answer.headers.get("access-control-allow-origin"), null, "no page elsewhere may read it");
    const all = await answer.json();
    assert.deepEqual(all.map(({ to }) => to), ["newer@example.com", "older@example.com"]);
    for (const letter of all) {
      for (const field of ["to", "subject", "text", "links", "at"]) assert.ok(letter[field], field);
      assert.ok(Math.abs(Date.parse(letter.at) - Date.now()) < 60_000);
      assert.ok(letter.links.every((link) => link.startsWith(`${postern.issuer}/`)));
    }
  });

  test("and MAIL=http set, nothing leaves this machine (issue 1)", async () => {
    const calls = [];
    const outboundService = (request) => (calls.push(request.url), new Response("{}"));
    const other = await deploy({ vars: MAIL, options: { outboundService } });
    try {
      await ask(other, "inside@example.com");
      assert.equal((await mails(other, "inside@example.com")).length, 1);
      assert.deepEqual(calls, []);
    } finally {
      await other.stop();
    }
  });

  test("pages say that it is development, and the outbox is read by GET and HEAD alone (issue 1)", async () => {
    assert.match((await new Browser(postern).open("/login")).html, /Development server/);
    for (const method of ["POST", "PUT", "DELETE"]) assert.equal((await fetch(`${postern.issuer}/dev/outbox`, { method })).status, 405, method);
    for (const path of ["/dev", "/dev/", "/dev/outbox/", "/dev/outbox/0", "/DEV/OUTBOX"]) assert.equal((await postern.get(path)).status, 404, path);
  });

  for (const host of ["auth.example.com", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8787", "10.0.0.1", "0.0.0.0", "192.168.0.10:8787", "[::2]", "localhost@evil.example", "3232235786", "127.0.0.1.nip.io"]) {
    test(`a request to the host ${host} finds no outbox, and sends no mail (issue 1)`, async () => {
      const headers = { host };
      const found = await send(postern, "/dev/outbox", { headers });
      assert.ok([400, 404].includes(found.status), `${found.status} ${found.body.slice(0, 200)}`);
      assert.ok(!found.body.includes("@example.com"));
    });
  }

  test("by another host name mail is refused with 503, never shown or lost silently (issue 1)", async () => {
    const page = await send(postern, "/login", { headers: { host: "auth.example.com" } });
    const [cookie] = [page.headers["set-cookie"]].flat();
    const csrf = /name="csrf" value="([^"]*)"/.exec(page.body)[1];
    const headers = { host: "auth.example.com", cookie: cookie.split(";")[0], "content-type": "application/x-www-form-urlencoded" };
    const answer = await send(postern, "/login", { method: "POST", headers, body: new URLSearchParams({ csrf, email: "elsewhere@example.com" }).toString() });
    assert.equal(answer.status, 503, answer.body);
    assert.equal((await mails(postern, "elsewhere@example.com")).length, 0);
    assert.ok(!/Development server/.test(page.body));
  });

  test("by another host name a provider on loopback is nobody, by this one it is asked for its keys (issue 1)", async () => {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: "http://localhost:4000", sub: "x", aud: postern.issuer, jti: "j", iat: now, exp: now + 60, auth_time: now, client_id: "http://localhost:4000", email: "a@example.com", email_verified: true };
    const assertion = `${part({ alg: "ES256", typ: "oauth-id-jag+jwt", kid: "k" })}.${part(claims)}.${"A".repeat(86)}`;
    const body = JSON.stringify({ type: "identity_assertion", assertion_type: "urn:ietf:params:oauth:token-type:id-jag", assertion });
    const error = async (host) => JSON.parse((await send(postern, "/agent/identity", { method: "POST", headers: { host, "content-type": "application/json" }, body })).body).error;
    assert.equal(await error("auth.example.com"), "invalid_issuer");
    assert.notEqual(await error(new URL(postern.issuer).host), "invalid_issuer");
  });

  test("a header of the client that names another host opens nothing (issue 1, 10)", async () => {
    const production_ = await production();
    try {
      for (const headers of [{ host: "localhost" }, { host: "127.0.0.1", "x-forwarded-host": "localhost" }, { host: "[::1]" }]) {
        assert.equal((await send(production_, "/dev/outbox", { headers })).status, 404, JSON.stringify(headers));
      }
    } finally {
      await production_.stop();
    }
  });
});

describe("without the leg", () => {
  const outbox = async (vars, path = "/dev/outbox") => {
    const postern = await deploy({ vars, persist: false });
    try {
      const { status } = await postern.get(path);
      const login = await postern.get("/login");
      return [status, login.status, login.headers.getSetCookie()[0] ?? ""];
    } finally {
      await postern.stop();
    }
  };

  test("of DEV=1, a loopback issuer over http is a fault, and so is any other value (issue 1)", async () => {
    for (const DEV of [null, "0", "true", "yes", "", "01"]) {
      const [status, login] = await outbox({ DEV });
      assert.ok([404, 500].includes(status), `DEV=${DEV}: ${status}`);
      assert.ok([404, 500].includes(login), `DEV=${DEV}: ${login}`);
    }
  });

  test("of a loopback http issuer, DEV=1 opens no outbox (issue 1)", async () => {
    for (const ISSUER of [PUBLIC, "https://localhost", "http://auth.example.com", "http://localhost.evil.example", "http://10.0.0.1:8787", "http://127.0.0.1.nip.io"]) {
      const [status, , cookie] = await outbox({ ISSUER, ...MAIL });
      assert.ok([404, 500].includes(status), `${ISSUER}: ${status}`);
      if (cookie) assert.match(cookie, /^__Host-.*Secure/, ISSUER);
    }
  });

  test("of either, a provider on loopback over http is trusted by nobody (issue 1)", async () => {
    for (const vars of [{ DEV: null, ISSUER: PUBLIC }, { DEV: "1", ISSUER: PUBLIC }, { DEV: null }]) {
      const [status] = await outbox({ ...vars, ...MAIL, TRUSTED_PROVIDERS: LOOPBACK_PROVIDER }, "/health");
      assert.equal(status, 500, JSON.stringify(vars));
    }
    const [status] = await outbox({ TRUSTED_PROVIDERS: LOOPBACK_PROVIDER }, "/health");
    assert.equal(status, 200, "with all legs it is");
    const [plain] = await outbox({ TRUSTED_PROVIDERS: JSON.stringify([{ issuer: "http://provider.example", name: "x" }]) }, "/health");
    assert.equal(plain, 500, "http elsewhere never");
  });
});
