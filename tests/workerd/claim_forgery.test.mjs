// Forms that another site, or another person, made: none of them signs anybody in or out, or answers an agent.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { read } from "./support/answers.mjs";
import { asking, atPage, csrf, onBehalf, operator, refusedAgent, reveal, someone, type } from "./support/ceremony.mjs";
import { complete, poll } from "./support/claim.mjs";
import { Browser, codeIn, codeOn, forms, newestMail } from "./support/person.mjs";
import { address, deploy } from "./support/postern.mjs";

const TYPE = "/agent/identity/claim/complete";
const ANSWERS = [TYPE, "/claim/code", "/claim/deny"];

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_NETWORK_PER_HOUR: "1000" } })));
after(() => postern.stop());

/** A form with exactly these headers. */
const bare = (browser, action, fields, headers) => browser.send(action, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded", ...headers }, body: new URLSearchParams(fields).toString() });

/** What a browser says of a form on another site. */
const FOREIGN = {
  "an origin": { origin: "https://evil.example" },
  "an origin of the same host at another port": { origin: "http://localhost:1" },
  "an origin with our name as user": { origin: "http://localhost@evil.example" },
  "a site": { "sec-fetch-site": "cross-site" },
  "a site, from a page without origin": { origin: "null", "sec-fetch-site": "cross-site" },
  "a neighbour": { origin: "null", "sec-fetch-site": "same-site" },
  "an origin and our own site": { origin: "https://evil.example", "sec-fetch-site": "same-origin" },
  "our own origin and another site": { "sec-fetch-site": "cross-site", "x-own": "1" },
};

describe("an answer to an agent", () => {
  let ceremony, person, fields;
  before(async () => {
    ceremony = await onBehalf(postern);
    person = await atPage(postern, ceremony);
    fields = { csrf: csrf(person), claim_attempt_token: ceremony.view, user_code: ceremony.user_code };
  });
  const untouched = async () => {
    await person.open(ceremony.path);
    for (const action of ANSWERS) assert.ok(action in forms(person.html), `${action} is still open`);
  };

  for (const [whose, headers] of Object.entries(FOREIGN))
    test(`from ${whose} of another is refused even with the right token (37)`, async () => {
      const { "x-own": own, ...sent } = headers;
      for (const action of ANSWERS) {
        await bare(person, action, fields, own ? { ...sent, origin: postern.issuer } : sent);
        assert.equal(person.status, 403, action);
        assert.equal(codeOn(person.html), undefined);
      }
      await untouched();
    });

  test("without the page's token, or with that of another browser, session or person, is refused (37)", async () => {
    const twin = await new Browser(postern).signIn(ceremony.email, ceremony.verification_uri);
    const eve = await new Browser(postern).signIn(someone("eve"), "/account");
    const stranger = await new Browser(postern).open("/login");
    const early = new Browser(postern);
    await early.open("/login");
    const before = csrf(early);
    await early.signIn(ceremony.email, ceremony.verification_uri);
    const values = { none: undefined, empty: "", junk: "x", another: csrf(twin), hers: csrf(eve), nobodys: csrf(stranger), cut: fields.csrf.slice(0, -1), longer: `${fields.csrf}0`, cased: fields.csrf.toUpperCase() };
    for (const [what, value] of Object.entries(values))
      for (const action of ANSWERS) {
        const { csrf: _, ...rest } = fields;
        await person.post(action, value === undefined ? rest : { ...rest, csrf: value });
        assert.equal(person.status, 403, `${what} ${action}`);
      }
    for (const action of ANSWERS) assert.equal((await early.post(action, { ...fields, csrf: before })).status, 403, `the token from before sign-in ${action}`);
    for (const action of ANSWERS) assert.equal((await bare(new Browser(postern), action, fields, {})).status, 403, `without any cookie ${action}`);
    await untouched();
  });

  test("by the query, by another method or in another type of body is none (C3)", async () => {
    const query = new URLSearchParams(fields).toString();
    for (const action of ANSWERS) {
      for (const method of ["GET", "HEAD"]) assert.equal((await person.send(`${action}?${query}`, { method })).status, 405, action);
      for (const method of ["PUT", "PATCH", "DELETE"]) assert.equal((await person.send(`${action}?${query}`, { method, body: method === "DELETE" ? undefined : query })).status, 405, action);
      await bare(person, `${action}?${query}`, {}, {});
      assert.ok([400, 403].includes(person.status), `${action} ${person.status}`);
      for (const type of ["text/plain", "multipart/form-data; boundary=x", "application/xml", ""]) {
        await person.send(action, { method: "POST", headers: { "content-type": type }, body: query });
        assert.equal(person.status, 415, `${action} ${type}`);
      }
    }
    for (const action of ["/claim/code", "/claim/deny"]) {
      await person.send(action, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(fields) });
      assert.equal(person.status, 415, action);
    }
    await untouched();
  });

  test("with the agent's token in the person's form, or the page's token in the agent's JSON, is 400 and no try (C3, edge 65)", async () => {
    await person.post(TYPE, { ...fields, claim_token: ceremony.claim_token });
    assert.equal(person.status, 400);
    const json = (body) => read(postern.json(TYPE, body, { cookie: [...person.cookies].map((pair) => pair.join("=")).join("; ") }));
    for (const body of [{ claim_token: ceremony.claim_token, ...fields }, { ...fields }, { claim_token: ceremony.claim_token, user_code: "000000", claim_attempt_token: null, csrf: fields.csrf }])
      assert.ok([400, 409].includes((await json(body)).status), JSON.stringify(body));
    assert.equal((await json({ claim_token: ceremony.claim_token, user_code: ceremony.user_code })).body.error, "claim_not_confirmed", "cookies say nothing to the agent's path");
    for (const token of [ceremony.claim_token, ceremony.claim_token.replace("clm", "cvt")]) {
      await person.post(TYPE, { ...fields, claim_attempt_token: token });
      assert.equal(person.status, 404);
    }
    await refusedAgent(postern.json(TYPE, { claim_token: ceremony.view, user_code: ceremony.user_code }), 400, "invalid_claim");
    await untouched();
    await type(person, ceremony.user_code);
    assert.equal((await poll(postern, ceremony.claim_token)).status, 200, "none of it was counted");
  });
});

describe("somebody who is signed out", () => {
  test("answers nothing with a form: they are sent to sign in", async () => {
    const ceremony = await onBehalf(postern);
    const nobody = await new Browser(postern).open("/login");
    const token = csrf(nobody);
    for (const action of ANSWERS) {
      await nobody.post(action, { csrf: token, claim_attempt_token: ceremony.view, user_code: ceremony.user_code });
      assert.equal(nobody.status, 303);
      assert.match(nobody.headers.get("location"), /^\/login\?return_to=/);
      assert.equal(nobody.html, "");
    }
    assert.equal((await poll(postern, ceremony.claim_token)).body.error, "authorization_pending");
  });

  test("has lost the page that was open when the session ended, and so has who was suspended", async () => {
    for (const end of [(person) => person.post("/logout", { csrf: csrf(person) }), (person, email) => operator(postern, "people/suspend", { email })]) {
      const ceremony = await onBehalf(postern);
      const person = await atPage(postern, ceremony);
      const kept = { html: person.html, cookies: new Map(person.cookies) };
      await end(person, ceremony.email);
      Object.assign(person, kept);
      for (const action of ANSWERS) {
        await person.post(action, { csrf: csrf(kept), claim_attempt_token: ceremony.view, user_code: ceremony.user_code });
        assert.ok([303, 403].includes(person.status), `${action} ${person.status}`);
        assert.equal(codeOn(person.html), undefined);
      }
      assert.equal((await poll(postern, ceremony.claim_token)).body.error, "authorization_pending");
    }
  });
});

describe("signing somebody in as another", () => {
  test("fails: a form with the attacker's own code is refused in the victim's browser, signed in or out (login CSRF)", async () => {
    const eve = await new Browser(postern).open("/login");
    const email = someone("eve");
    await eve.submit("/login", { email });
    const code = codeIn((await newestMail(postern, email)).text);
    const form = { ...forms(eve.html)["/login/code"][0], code };
    const [link] = (await newestMail(postern, email)).links;
    const token = new URL(link).searchParams.get("token");
    const victims = [await new Browser(postern).open("/login"), await new Browser(postern).signIn(someone(), "/account"), new Browser(postern)];
    for (const victim of victims) {
      const before = JSON.stringify([...victim.cookies]);
      for (const [action, fields] of [["/login/code", form], ["/login/link", { ...form, token }], ["/login", { email, csrf: form.csrf }]])
        for (const headers of [{}, ...Object.values(FOREIGN)]) {
          const { "x-own": _, ...sent } = headers;
          await bare(victim, action, fields, sent);
          assert.equal(victim.status, 403, action);
        }
      if (before !== "[]") assert.equal(JSON.stringify([...victim.cookies]), before, "no session of Eve's");
    }
    await eve.submit("/login/code", { code });
    assert.ok(eve.html.includes(email), "none of it used the code up");
  });

  test("fails by signing them out from elsewhere, too", async () => {
    const email = someone();
    const victim = await new Browser(postern).signIn(email, "/account");
    const token = csrf(victim);
    for (const headers of Object.values(FOREIGN)) {
      const { "x-own": _, ...sent } = headers;
      await bare(victim, "/logout", { csrf: token }, sent);
      assert.equal(victim.status, 403);
    }
    await bare(victim, "/logout", {}, { origin: postern.issuer });
    assert.equal(victim.status, 403);
    assert.ok((await victim.open("/account")).html.includes(email));
  });

  test("is no way for a session to be fixed: signing in gives a new one and ends the one before", async () => {
    const email = someone();
    const person = await new Browser(postern).signIn(email, "/account");
    const old = new Map(person.cookies);
    await person.send("/login?max_age=0");
    await person.submit("/login", { email });
    await person.submit("/login/code", { code: codeIn((await newestMail(postern, email)).text) });
    const ghost = Object.assign(new Browser(postern), { cookies: old });
    await ghost.open("/account");
    assert.ok(!ghost.html.includes(`<bdi>${email}</bdi>`), "the old session is over");
    const chosen = Object.assign(new Browser(postern), { cookies: new Map([...old].map(([name]) => [name, "chosen-by-eve"])) });
    await chosen.signIn(email, "/account");
    assert.ok([...chosen.cookies.values()].every((value) => value !== "chosen-by-eve"));
  });
});

test("answers of the agent's paths are open to any origin and take no cookie; those for people are open to none", async () => {
  const ceremony = await asking(postern);
  const person = await atPage(postern, ceremony);
  for (const path of ["/agent/identity", "/agent/identity/claim", TYPE]) {
    const { headers } = await read(postern.json(path, {}, { origin: "https://app.example", "cf-connecting-ip": address() }));
    assert.equal(headers.get("access-control-allow-origin"), "*");
    assert.equal(headers.get("access-control-allow-credentials"), null);
    assert.equal(headers.get("set-cookie"), null);
  }
  for (const path of ["/login", ceremony.path, "/account", "/claim", "/agent/auth/claim/attempt/challenge"]) {
    await person.send(path, { headers: { origin: "https://app.example" } });
    assert.equal(person.headers.get("access-control-allow-origin"), null, path);
    await person.send(path, { method: "OPTIONS", headers: { origin: "https://app.example", "access-control-request-method": "POST" } });
    assert.equal(person.headers.get("access-control-allow-origin"), null, path);
  }
  const relay = await onBehalf(postern);
  const code = await reveal(await atPage(postern, relay));
  assert.equal((await complete(postern, relay.claim_token, code)).status, 200);
});
