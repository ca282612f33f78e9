// Consent that nobody gave: forms of other sites, other browsers, pages in frames, clients that pose as others (the confused deputy).
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { launch, visit } from "./support/chromium.mjs";
import { REDIRECT, authorization, carried, consented, person, pkce, redeem, register } from "./support/oauth.mjs";
import { deploy } from "./support/postern.mjs";
import { Browser, forms } from "./support/person.mjs";
import { document, published } from "./support/published.mjs";

const CONSENT = "/oauth2/authorize/consent";
const EDITOR = "https://editor.example.com/client.json";
const outside = published({ ...document(EDITOR), ...document("https://other.example.com/client.json") });
let postern, browser, evil;
before(async () => {
  [postern, browser] = await Promise.all([deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" }, isolates: 2, options: outside.options }), launch()]);
  evil = await site();
});
after(() => Promise.all([postern.stop(), browser.close(), evil.stop()]));

/** Another site: 127.0.0.1 is another one than localhost to a browser. */
async function site() {
  const pages = new Map();
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(pages.get(request.url) ?? "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  const put = (html) => {
    const path = `/${pages.size}`;
    pages.set(path, `<!doctype html><title>Kittens</title>${html}`);
    return url + path;
  };
  return { put, stop: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())) };
}

/** A person who is asked by a client; what the form of the page would send. */
async function asked(email, more = {}) {
  const client = await register(postern);
  const who = await person(postern, email);
  await who.send(authorization(client.client_id, more));
  assert.equal(who.status, 200, who.html);
  return { client, who, fields: forms(who.html)[CONSENT][0] };
}

const escaped = (text) => text.replace(/&/g, "&amp;").replace(/"/g, "&quot;");
const hidden = (fields) => Object.entries(fields).map(([name, value]) => `<input type=hidden name="${name}" value="${escaped(value)}">`).join("");

/** The request can still be answered by whom it was meant for: nothing of it was used up. */
async function stillOpen(who, fields) {
  await who.post(CONSENT, { ...fields, answer: "allow" });
  assert.equal(who.status, 303, who.html);
  assert.ok(carried(who).code);
}

describe("in Chromium", () => {
  const inBrowser = async (who, act) => {
    const context = await visit(browser, postern, { cookies: who.cookies });
    try {
      await act(await context.newPage(), context);
    } finally {
      await context.close();
    }
  };

  test("a form of another site answers nothing, even with all the fields of the real page (row 37)", async () => {
    const { who, fields } = await asked("cross-site@example.com");
    const url = evil.put(`<form method=post action="${postern.issuer}${CONSENT}">${hidden({ ...fields, answer: "allow" })}<button>Kittens</button></form>`);
    await inBrowser(who, async (page) => {
      await page.goto(url);
      const [response] = await Promise.all([page.waitForResponse((response) => response.url().endsWith(CONSENT)), page.getByRole("button").click()]);
      assert.equal(response.status(), 403);
      await page.waitForLoadState();
      assert.match(await page.title(), /too old/);
    });
    await stillOpen(who, fields);
  });

  test("a script of another site answers nothing, with cookies or without", async () => {
    const { who, fields } = await asked("fetched@example.com");
    const body = new URLSearchParams({ ...fields, answer: "allow" }).toString();
    await inBrowser(who, async (page) => {
      await page.goto(evil.put(""));
      for (const credentials of ["include", "omit"]) {
        const got = await page.evaluate(([url, body, credentials]) => fetch(url, { method: "POST", body: new URLSearchParams(body), credentials, mode: "cors" }).then((response) => response.url, (error) => error.name), [postern.issuer + CONSENT, body, credentials]);
        assert.equal(got, "TypeError", "the answer is not readable either");
      }
    });
    await stillOpen(who, fields);
  });

  test("the page shows in no frame, of another site or of our own", async () => {
    const { client, who } = await asked("framed@example.com");
    const path = authorization(client.client_id);
    await inBrowser(who, async (page, context) => {
      for (const sandbox of ["", ' sandbox="allow-forms allow-scripts allow-same-origin"']) {
        const refused = page.waitForEvent("console", (message) => /frame-ancestors/.test(message.text()));
        await page.goto(evil.put(`<iframe src="${escaped(postern.issuer + path)}"${sandbox} width=600 height=600></iframe>`));
        await refused;
        for (const frame of page.frames().slice(1)) assert.equal(await frame.getByRole("button").count(), 0);
      }
      assert.ok(context.faults.length > 0);
    });
    assert.equal((await who.send(path)).headers.get("x-frame-options"), "DENY");
    assert.match(who.headers.get("content-security-policy"), /frame-ancestors 'none'/);
    assert.equal(who.headers.get("cross-origin-opener-policy"), "same-origin");
    assert.match(who.headers.get("cache-control"), /no-store/);
    assert.equal(who.headers.get("referrer-policy"), "no-referrer");
  });

  test("a form of another site that begins an authorization shows the question, and no more", async () => {
    const { client, who } = await asked("posted@example.com");
    const { searchParams } = new URL(authorization(client.client_id), postern.issuer);
    const url = evil.put(`<form method=post action="${postern.issuer}/oauth2/authorize">${hidden(Object.fromEntries(searchParams))}<button>Kittens</button></form>`);
    await inBrowser(who, async (page) => {
      await page.goto(url);
      await page.getByRole("button").click();
      await page.getByRole("button", { name: "Allow" }).waitFor();
    });
  });
});

describe("the answer counts", () => {
  test("from no other browser: neither of another person nor of the same one", async () => {
    const { who, fields } = await asked("bound@example.com");
    for (const email of ["bound@example.com", "somebody-else@example.com"]) {
      const other = await person(postern, email);
      await other.open("/account");
      const { csrf } = forms(other.html)["/logout"][0];
      await other.post(CONSENT, { ...fields, csrf, answer: "allow" });
      assert.equal(other.status, 400, email);
      assert.match(other.html, /This request is over/);
      assert.equal(other.headers.get("location"), null);
    }
    await stillOpen(who, fields);
  });

  test("with no other token: missing, empty, of another browser or of another session", async () => {
    const { who, fields } = await asked("token@example.com");
    const other = await new Browser(postern).open("/login");
    for (const csrf of [undefined, "", "x", forms(other.html)["/login"][0].csrf]) {
      const sent = { request: fields.request, answer: "allow", ...(csrf === undefined ? {} : { csrf }) };
      await who.post(CONSENT, sent);
      assert.equal(who.status, 403, csrf);
      assert.equal(who.headers.get("location"), null);
    }
    await stillOpen(who, fields);
  });

  test("from no other site, whatever it says of itself", async () => {
    const { who, fields } = await asked("origin@example.com");
    for (const headers of [{ origin: "https://evil.example" }, { origin: `${postern.issuer}.evil.example` }, { "sec-fetch-site": "cross-site" }, { "sec-fetch-site": "same-site" }, { "sec-fetch-site": "none" }, { origin: "https://evil.example", "sec-fetch-site": "cross-site" }]) {
      await who.post(CONSENT, { ...fields, answer: "allow" }, headers);
      assert.equal(who.status, 403, JSON.stringify(headers));
    }
    await stillOpen(who, fields);
  });

  test("not as a link, and not with any other word", async () => {
    const { who, fields } = await asked("verb@example.com");
    await who.send(`${CONSENT}?${new URLSearchParams({ ...fields, answer: "allow" })}`);
    assert.ok([404, 405].includes(who.status), String(who.status));
    for (const answer of ["", "yes", "Allow", "allow deny"]) {
      await who.post(CONSENT, { ...fields, answer });
      assert.equal(who.status, 400, answer);
    }
    await stillOpen(who, fields);
  });

  test("for the request as it was shown: what the form adds changes nothing", async () => {
    const { verifier, challenge } = pkce();
    const client = await register(postern);
    const other = await register(postern, { redirect_uris: ["https://evil.example/callback"] });
    const who = await person(postern, "added@example.com");
    await who.send(authorization(client.client_id, { scope: "api.read" }, { challenge }));
    await who.submit(CONSENT, { answer: "allow", client_id: other.client_id, redirect_uri: "https://evil.example/callback", scope: "api.read api.write", state: "evil", code_challenge: pkce().challenge }, { follow: false });
    const back = carried(who);
    assert.deepEqual([back.to, back.state], [REDIRECT, "the state"]);
    const { status, body } = await redeem(postern, client, back.code, verifier);
    assert.deepEqual([status, body.scope], [200, "api.read"]);
  });

  test("once, whichever worker is asked: of two answers at the same time one is taken", async () => {
    const second = await postern.second();
    const { who, fields } = await asked("twice@example.com");
    const cookie = [...who.cookies].map((pair) => pair.join("=")).join("; ");
    const headers = { cookie, "content-type": "application/x-www-form-urlencoded", origin: "null", "sec-fetch-site": "same-origin" };
    const send = (base, answer) => fetch(base + CONSENT, { method: "POST", headers, body: new URLSearchParams({ ...fields, answer }), redirect: "manual" });
    const all = await Promise.all(Array.from({ length: 20 }, (_, index) => send(index % 2 ? second : postern.issuer, index % 3 ? "allow" : "deny")));
    assert.deepEqual(all.map(({ status }) => status).sort(), [303, ...Array(19).fill(400)].sort());
  });

  test("not after the person has signed out, or in as somebody else", async () => {
    const { who, fields } = await asked("gone@example.com");
    await who.open("/account");
    await who.submit("/logout");
    await who.post(CONSENT, { ...fields, answer: "allow" });
    assert.equal(who.status, 403, "the token was of the session");
    await who.signIn("next@example.com");
    const { csrf } = forms((await who.open("/account")).html)["/logout"][0];
    await who.post(CONSENT, { ...fields, csrf, answer: "allow" });
    assert.equal(who.status, 400);
    assert.match(who.html, /This request is over/);
  });
});

describe("a client that poses as another is asked about all the same", () => {
  const isAsked = async (who, path) => {
    await who.send(path);
    assert.equal(who.status, 200, `${who.headers.get("location")}`);
    assert.ok(forms(who.html)[CONSENT]);
    return who.html;
  };

  test("with its name, its redirect URI, its metadata but for a word", async () => {
    const client = await register(postern, { client_name: "Known" });
    const who = await person(postern, "deputy@example.com");
    await consented(who, authorization(client.client_id));
    assert.equal((await who.send(authorization(client.client_id))).status, 302, "the one that was allowed is let through");
    for (const more of [{ client_name: "Known (new)" }, { client_name: "Known", redirect_uris: [REDIRECT, "https://evil.example/callback"] }, { client_name: "Known", token_endpoint_auth_method: "client_secret_basic" }]) {
      const twin = await register(postern, more);
      assert.notEqual(twin.client_id, client.client_id);
      const html = await isAsked(who, authorization(twin.client_id));
      assert.match(html, /its own words, unchecked/);
      assert.ok(!html.includes("allowed before"));
    }
  });

  test("as a document of another host, with the same name and redirect URI", async () => {
    const who = await person(postern, "documents@example.com");
    await consented(who, authorization(EDITOR));
    assert.equal((await who.send(authorization(EDITOR))).status, 302);
    const html = await isAsked(who, authorization("https://other.example.com/client.json"));
    assert.match(html, /<strong><bdi>other\.example\.com<\/bdi><\/strong>/, "the host tells them apart");
  });

  test("what one person allowed lets nobody else's browser through", async () => {
    const client = await register(postern);
    await consented(await person(postern, "one@example.com"), authorization(client.client_id));
    await isAsked(await person(postern, "other@example.com"), authorization(client.client_id));
  });

  test("and more than was allowed is asked for, at this resource and at another", async () => {
    const client = await register(postern);
    const who = await person(postern, "widens@example.com");
    await consented(who, authorization(client.client_id, { scope: "api.read" }));
    assert.equal((await who.send(authorization(client.client_id, { scope: "api.read" }))).status, 302);
    assert.match(await isAsked(who, authorization(client.client_id, { scope: "api.read api.write" })), /allowed before/);
    assert.ok(!(await isAsked(who, authorization(client.client_id, { scope: "api.read", resource: `${postern.issuer}/api/v1` }))).includes("allowed before"));
  });
});

describe("every page on the way", () => {
  test("loads from us alone, shows in no frame, is kept by nobody, and sends forms elsewhere only where it must", async () => {
    const client = await register(postern, { post_logout_redirect_uris: ["https://client.example/out"] });
    const who = await person(postern, "policies@example.com");
    const none = new Browser(postern);
    const pages = [
      [who, authorization(client.client_id), 200, true],
      [who, `/oauth2/logout?client_id=${client.client_id}`, 200, true],
      [who, authorization("cli_nobody"), 400, false],
      [who, authorization(client.client_id, { redirect_uri: "https://evil.example/" }), 400, false],
      [none, "/device", 303, null],
      [who, "/device", 200, false],
      [none, "/operator/traces", 401, false],
      [who, "/account", 200, false],
    ];
    for (const [whose, path, status, away] of pages) {
      await whose.send(path, { headers: { accept: "text/html" } });
      assert.equal(whose.status, status, path);
      if (away === null) continue;
      const policy = new Map(whose.headers.get("content-security-policy").split(";").map((part) => part.trim().split(/ (.*)/s)));
      assert.equal(policy.get("default-src"), "'none'", path);
      assert.equal(policy.get("frame-ancestors"), "'none'", path);
      assert.equal(policy.get("base-uri"), "'none'", path);
      assert.match(policy.get("script-src"), /^'nonce-[^' ]+'$/, path);
      for (const part of ["style-src", "img-src", "connect-src"]) assert.equal(policy.get(part), "'self'", path);
      assert.equal(policy.get("form-action"), away ? undefined : "'self'", path);
      for (const [name, value] of [["x-frame-options", "DENY"], ["x-content-type-options", "nosniff"], ["referrer-policy", "no-referrer"], ["cross-origin-opener-policy", "same-origin"]]) assert.equal(whose.headers.get(name), value, `${path} ${name}`);
      assert.match(whose.headers.get("cache-control"), /no-store/, path);
    }
  });

  test("where forms may lead elsewhere, what the page was asked with makes no form and no field of its own", async () => {
    const client = await register(postern, { client_name: '"><form action="https://evil.example/"><input name="csrf">' });
    const who = await person(postern, "fields@example.com");
    await who.send(authorization(client.client_id, { state: '"><form action="https://evil.example/">', login_hint: '"><input name="answer" value="allow">', scope: 'api.read' }));
    assert.deepEqual(Object.keys(forms(who.html)).sort(), ["/logout", CONSENT].sort());
    assert.deepEqual(Object.keys(forms(who.html)[CONSENT][0]).sort(), ["answer", "csrf", "request"]);
  });
});
