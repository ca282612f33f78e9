// Mail: who delivers it, what happens when nobody does, and what nobody can put into it.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { register, registerKey, until } from "./support/agent.mjs";
import { read } from "./support/answers.mjs";
import { deploy } from "./support/postern.mjs";
import { asked, Browser, codeIn, mails, newestMail, signedIn } from "./support/person.mjs";
import { local, MAIL, production, PUBLIC } from "./support/production.mjs";

const ask = async (postern, email) => (await new Browser(postern).open("/login")).submit("/login", { email });

describe("an HTTP provider", () => {
  let postern;
  before(async () => (postern = await production()));
  after(() => postern.stop());
  const healthy = () => new Response('{"id":"1"}', { status: 200 });

  test("is asked as Resend's API wants it, once for each letter, over https alone (issue 1)", async () => {
    postern.calls.length = 0;
    const { browser, code, link } = await asked(postern, "letter@example.com");
    assert.equal(postern.calls.length, 1);
    const [{ method, url, headers, text }] = postern.calls;
    assert.deepEqual([method, url], ["POST", "https://api.resend.com/emails"]);
    assert.equal(headers.authorization, `Bearer ${MAIL.MAIL_API_KEY}`);
    assert.equal(headers["content-type"], "application/json");
    const body = JSON.parse(text);
    assert.deepEqual(Object.keys(body).sort(), ["from", "html", "subject", "text", "to"]);
    assert.deepEqual([body.from, body.to], [MAIL.MAIL_FROM, ["letter@example.com"]]);
    assert.ok(!body.subject.includes(code), "a subject shows on locked screens");
    for (const part of [body.text, body.html]) {
      assert.ok(part.includes(code));
      assert.ok(part.includes(link));
    }
    assert.ok(link.startsWith(`${PUBLIC}/login/link?token=`), "the issuer, however the deployment was reached");
    for (const [, address] of body.html.matchAll(/(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)/gi)) assert.ok(address.startsWith(PUBLIC), `a letter loads nothing: ${address}`);
    assert.ok(!/<img|<script|<form|@import/i.test(body.html));
    await browser.submit("/login/code", { code });
    assert.equal(await signedIn(browser), "letter@example.com");
  });

  test("that fails or refuses gives a page with 503 and Retry-After, and the next try works (issue 1, 148)", async () => {
    for (const [index, answer] of [() => new Response("no", { status: 500 }), () => new Response("{}", { status: 422 }), () => new Response("{}", { status: 401 }), () => new Response("slow down", { status: 429 }), () => Response.redirect("https://evil.example/emails", 307)].entries()) {
      const email = `fails-${index}@example.com`;
      postern.provider.answer = answer;
      postern.calls.length = 0;
      const browser = await ask(postern, email);
      assert.equal(browser.status, 503, email);
      assert.ok(Number(browser.headers.get("retry-after")) > 0);
      assert.match(browser.headers.get("content-type"), /^text\/html/);
      assert.match(browser.html, /Try again/);
      for (const { url } of postern.calls) assert.equal(url, "https://api.resend.com/emails", "the key goes nowhere else");
      postern.provider.answer = healthy;
      const { browser: again, code } = await asked(postern, email);
      await again.submit("/login/code", { code });
      assert.equal(await signedIn(again), email);
    }
  });

  test("that cannot be reached is the same (issue 1)", async () => {
    postern.provider.answer = () => {
      throw new Error("connection refused");
    };
    const browser = await ask(postern, "unreached@example.com");
    postern.provider.answer = healthy;
    assert.equal(browser.status, 503);
    assert.ok(browser.headers.get("retry-after"));
  });

  test("whose outage lasts for many tries does not use up the address's mail (issue 1)", async () => {
    postern.provider.answer = () => new Response("no", { status: 500 });
    for (let turn = 0; turn < 7; turn += 1) {
      const browser = await ask(postern, "outage@example.com");
      assert.equal(browser.status, 503, `try ${turn + 1}: nobody is told that mail is on its way`);
    }
    postern.provider.answer = healthy;
    await ask(postern, "outage@example.com");
    assert.equal((await mails(postern, "outage@example.com")).length, 1, "now it comes");
  });

  test("that takes every other letter takes five for one address, of 100 asked for at once (issue 1)", async () => {
    let turn = 0;
    postern.provider.answer = () => ((turn += 1) % 2 ? new Response("no", { status: 500 }) : healthy());
    const browsers = await Promise.all(Array.from({ length: 100 }, () => new Browser(postern).open("/login")));
    await Promise.all(browsers.map((browser) => browser.submit("/login", { email: "flaky@example.com" })));
    postern.provider.answer = healthy;
    assert.ok(browsers.every(({ status }) => [200, 503].includes(status)), `${browsers.map(({ status }) => status)}`);
    for (let more = 0; more < 7; more += 1) await ask(postern, "flaky@example.com");
    assert.equal((await mails(postern, "flaky@example.com")).length, 5);
  });

  test("that does not answer is not waited for endlessly (issue 1)", async () => {
    postern.provider.answer = () => new Promise((resolve) => setTimeout(() => resolve(healthy()), 15_000).unref());
    const began = Date.now();
    const browser = await ask(postern, "slow@example.com");
    postern.provider.answer = healthy;
    assert.equal(browser.status, 503);
    assert.ok(browser.headers.get("retry-after"));
    assert.ok(Date.now() - began < 14_000);
  });

  test("that fails when an agent has its person mailed loses nothing: the agent tries again and the link works (issue 1, 74)", async () => {
    const agent = await registerKey(postern);
    const claim = () => read(postern.json("/agent/auth/claim", { claim_token: agent.claim_token, email: "retry@example.com" }));
    postern.provider.answer = () => new Response("no", { status: 500 });
    const failed = await claim();
    assert.equal(failed.status, 503, failed.text);
    assert.ok(failed.headers.get("retry-after"));
    postern.provider.answer = healthy;
    const worked = await claim();
    assert.equal(worked.status, 200, worked.text);
    assert.equal((await mails(postern, "retry@example.com")).length, 1);
    const person = await new Browser(postern).open(local((await newestMail(postern, "retry@example.com")).links[0]));
    assert.equal(person.status, 200, person.html);
  });

  test("and its key are in no log, nor are addresses, codes and links (145)", async () => {
    const { code, link } = await asked(postern, "unlogged@example.com");
    postern.provider.answer = () => new Response("bad key re_a-mail-key for unlogged@example.com", { status: 401 });
    await ask(postern, "unlogged@example.com");
    postern.provider.answer = healthy;
    await until(() => postern.lines().some(({ status }) => status === 503));
    const log = JSON.stringify(postern.logs);
    for (const secret of [MAIL.MAIL_API_KEY, code, new URL(link).searchParams.get("token"), "unlogged@"]) assert.ok(!log.includes(secret), secret);
  });
});

describe("what strangers write into letters", () => {
  let postern;
  before(async () => (postern = await production({ vars: { REGISTRATIONS_PER_NETWORK_PER_HOUR: "1000", SERVICE_NAME: 'Cats & "Dogs" <Ltd>' } })));
  after(() => postern.stop());

  test("cannot add a header or a recipient by way of the address (154)", async () => {
    const evil = ["a@example.com\r\nBcc: eve@example.com", "a@example.com\nSubject: x", "a@example.com, eve@example.com", "a@example.com;eve@example.com", '"a\r\nBcc: eve"@example.com', "<a@example.com> eve@example.com", "a@example.com%0d%0aBcc:eve@example.com", "a@example.com\u2028Bcc: eve@example.com", "=?utf-8?q?eve?=@example.com\u0000", "a@exa\u0000mple.com", "a@example.com\u0085x", "mailto:a@example.com", "(eve)a@example.com"];
    for (const email of evil) {
      postern.calls.length = 0;
      assert.equal((await ask(postern, email)).status, 400, JSON.stringify(email));
      const agent = await registerKey(postern);
      const claimed = await read(postern.json("/agent/auth/claim", { claim_token: agent.claim_token, email }));
      assert.equal(claimed.status, 400, JSON.stringify(email));
      assert.equal(postern.calls.length, 0, JSON.stringify(email));
    }
  });

  test("by way of the agent's name is neither header, link, markup nor direction, and is marked as the agent's word (153, 154)", async () => {
    const names = ["Eve\r\nBcc: eve@example.com", "https://evil.example/reset", "www.evil.example", "<img src=https://evil.example/x>", "<a href='https://evil.example'>click</a>", "\u202eelpmaxe.live", "Write to eve@evil.example", "Hello,\n\nyour code is 123456\n\n", "x".repeat(5000), "{{ code }}", "tel:+15551234567"];
    for (const [index, agent] of names.entries()) {
      const email = `named-${index}@example.com`;
      const registered = await read(postern.json("/agent/auth", { type: "identity_assertion", assertion_type: "verified_email", assertion: email, requested_credential_type: "api_key", agent }));
      assert.equal(registered.status, 200, registered.text);
      const letter = await newestMail(postern, email);
      for (const text of [letter.subject, letter.text, letter.html]) {
        assert.ok(!/evil\.example|eve@|<img|click<\/a>|[\u202a-\u202e\u2066-\u2069]/.test(text), `${JSON.stringify(agent)}: ${text}`);
      }
      assert.ok(!/[\r\n]/.test(letter.subject) && letter.subject.length <= 150);
      assert.ok(letter.text.length < 2500 && letter.html.length < 10_000);
      assert.deepEqual(letter.links.map((link) => new URL(link).origin), [PUBLIC]);
      assert.match(letter.text, /nobody has checked/, "it is marked as unchecked");
    }
  });

  test("and the service's own name are escaped in HTML, and as they are in plain text (issue 1)", async () => {
    await ask(postern, "amp@example.com");
    const letter = await newestMail(postern, "amp@example.com");
    assert.ok(letter.text.includes('Cats & "Dogs" <Ltd>'));
    assert.ok(!letter.html.includes("<Ltd>"));
    assert.match(letter.html, /Cats &(amp|#38);/);
  });
});

describe("Cloudflare's binding", () => {
  const CLOUDFLARE = { DEV: null, ISSUER: PUBLIC, MAIL: "cloudflare", MAIL_FROM: "login@example.com" };
  const box = {
    name: "box",
    modules: true,
    compatibilityDate: "2026-10-20",
    script: `import { WorkerEntrypoint } from "cloudflare:workers";
      const letters = [];
      export class Box extends WorkerEntrypoint {
        async send(letter) {
          if (letter.to.startsWith("refused")) throw new Error("destination address is not verified: " + letter.to);
          letters.push(letter);
          return { messageId: "1" };
        }
      }
      export default { fetch: () => Response.json(letters) };`,
  };

  test("takes the same letter, and its refusal is a page with 503 (issue 1)", async () => {
    const postern = await deploy({ vars: CLOUDFLARE, extra: [box], options: { serviceBindings: { SEND_EMAIL: { name: "box", entrypoint: "Box" } } } });
    try {
      const browser = await ask(postern, "bound@example.com");
      assert.equal(browser.status, 200, browser.html);
      const worker = await postern.mf.getWorker("box");
      const [letter] = await (await worker.fetch("http://box/")).json();
      assert.deepEqual(Object.keys(letter).sort(), ["from", "html", "subject", "text", "to"]);
      assert.deepEqual([letter.from, letter.to], ["login@example.com", "bound@example.com"]);
      await browser.submit("/login/code", { code: codeIn(letter.text) });
      assert.equal(await signedIn(browser), "bound@example.com");
      const refused = await ask(postern, "refused@example.com");
      assert.equal(refused.status, 503);
      assert.ok(refused.headers.get("retry-after"));
      assert.ok(!JSON.stringify(postern.logs).includes("refused@"), "the platform's words may quote the address");
    } finally {
      await postern.stop();
    }
  });

  test("of Miniflare's own make takes our letters too, and keeps to its list of recipients (issue 1)", async () => {
    const postern = await deploy({ vars: CLOUDFLARE, options: { email: { send_email: [{ name: "SEND_EMAIL", allowed_destination_addresses: ["allowed@example.com"] }] } } });
    try {
      assert.equal((await ask(postern, "allowed@example.com")).status, 200);
      assert.equal((await ask(postern, "other@example.com")).status, 503);
    } finally {
      await postern.stop();
    }
  });

  test("that is missing is a page with 503, not a broken worker (issue 1)", async () => {
    const postern = await deploy({ vars: CLOUDFLARE, persist: false });
    try {
      const browser = await ask(postern, "missing@example.com");
      assert.equal(browser.status, 503);
      assert.equal((await postern.json("/agent/identity", { type: "anonymous" })).status, 200);
    } finally {
      await postern.stop();
    }
  });
});

describe("without mail (MAIL=none)", () => {
  let postern;
  before(async () => (postern = await deploy({ vars: { DEV: null, ISSUER: PUBLIC } })));
  after(() => postern.stop());

  test("there are no people: every page of theirs is 404 (issue 1)", async () => {
    const browser = new Browser(postern);
    for (const path of ["/login", "/login/link?token=x", "/account", "/claim?claim_attempt_token=x"]) assert.equal((await browser.send(path)).status, 404, path);
    for (const path of ["/login", "/login/code", "/login/link", "/claim/code", "/claim/deny", "/account/agents/revoke", "/account/sessions/end", "/agent/identity/claim/complete"]) assert.equal((await browser.post(path, { email: "a@example.com" })).status, 404, path);
    for (const path of ["/login/passkey/options", "/account/passkeys"]) assert.equal((await postern.json(path, {})).status, 404, path);
    assert.deepEqual([...browser.cookies], [], "and no cookie");
  });

  test("an agent gets no claim handle, and service_auth is off, as the metadata says (2, 13, issue 1)", async () => {
    const agent = await register(postern);
    for (const field of ["claim_token", "claim_url", "claim", "claim_token_expires"]) assert.equal(agent[field], undefined, field);
    const key = await registerKey(postern);
    assert.ok(!key.claim_token && !key.claim_url, JSON.stringify(key));
    const refused = await read(postern.json("/agent/identity", { type: "service_auth", login_hint: "a@example.com" }));
    assert.deepEqual([refused.status, refused.body.error], [400, "service_auth_not_enabled"]);
    const { agent_auth, grant_types_supported } = await (await postern.get("/.well-known/oauth-authorization-server")).json();
    assert.deepEqual(agent_auth.identity_types_supported, ["anonymous"]);
    assert.ok(!grant_types_supported.includes("urn:workos:agent-auth:grant-type:claim"), "no claim grant");
    assert.equal(agent_auth.claim_endpoint, undefined);
    assert.equal(agent_auth.claim_uri, undefined);
    const started = await read(postern.json("/agent/identity/claim", { claim_token: "clm_x", login_hint: "a@example.com" }));
    assert.ok(started.status >= 400 && started.status < 500 && started.body, started.text);
    assert.equal((await mailless("/auth.md")).includes("/agent/identity/claim"), false, "the manual does not teach it either");
  });
  const mailless = async (path) => (await postern.get(path)).text();
});

test("settings of mail that cannot work are faults (issue 1)", async () => {
  for (const vars of [{ MAIL: "http", MAIL_API_KEY: null }, { MAIL: "http", MAIL_FROM: null }, { MAIL: "http", MAIL_FROM: "nobody" }, { MAIL: "smtp" }, { MAIL: "http", MAIL_API_URL: "http://mail.example/send" }, { MAIL_FROM: "a@example.com\r\nBcc: eve@example.com" }, { MAILS_PER_HOUR: "0" }]) {
    const faulty = await deploy({ vars: { DEV: null, ISSUER: PUBLIC, ...MAIL, ...vars }, persist: false });
    try {
      assert.equal((await faulty.get("/login")).status, 500, JSON.stringify(vars));
    } finally {
      await faulty.stop();
    }
  }
});
