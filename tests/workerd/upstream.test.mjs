// People sign in with a real OpenID Connect provider: every algorithm and client authentication, once, in their own browser, and never by an address alone.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Browser, codeIn, forms, newestMail, signedIn } from "./support/person.mjs";
import { ROUNDS } from "./support/postern.mjs";
import { comeBack, federation, press, SECRET, signInWith, through } from "./support/upstream.mjs";

const ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
const inToken = { configuration: { conformIdTokenClaims: false } };

let world, postern, id;
before(async () => {
  world = await federation({
    "Example ID": {},
    Posting: { client: { token_endpoint_auth_method: "client_secret_post" }, configuration: { clientAuthMethods: ["client_secret_post", "none"] } },
    Public: { client: { token_endpoint_auth_method: "none" } },
    Strict: { entry: { allowed_domains: ["example.org"] } },
    ...Object.fromEntries(ALGORITHMS.map((alg) => [alg, { alg, ...inToken }])),
  });
  ({ postern } = world);
  id = world.providers["Example ID"];
});
after(() => world.stop());

let people = 0;
/** Somebody whom nobody knows yet. */
const newcomer = () => `person${(people += 1)}`;
const reasons = () => postern.lines().map(({ reason }) => reason ?? "").join("\n");

describe("a provider that vouches for an address", () => {
  test("lets a new person in, and the same one ever after", async () => {
    const login = newcomer();
    const one = await signInWith(new Browser(postern), id, login);
    assert.equal(one.status, 303);
    assert.equal(one.headers.get("location"), "/account");
    assert.equal(await signedIn(one), `${login}@example.com`);
    assert.match(one.html, /by a linked provider/);
    id.people[login] = { email: `${login}-elsewhere@example.com` };
    const two = await signInWith(new Browser(postern), id, login);
    assert.equal(await signedIn(two), `${login}@example.com`, "known by their subject, whatever their address is by now");
    assert.match(two.html, /Signed in.*Signed in/s);
    assert.ok(id.asked.includes("GET /me"), "this provider says the address at its userinfo endpoint alone");
  });

  for (const alg of ALGORITHMS) {
    test(`signs its ID tokens with ${alg}`, async () => {
      const provider = world.providers[alg];
      const login = newcomer();
      const browser = await signInWith(new Browser(postern), provider, login);
      assert.equal(browser.status, 303, reasons());
      assert.equal(await signedIn(browser), `${login}@example.com`);
      assert.ok(!provider.asked.includes("GET /me"), "all of it was in the token");
    });
  }

  for (const [name, how] of [["Posting", "by a secret in the form"], ["Public", "without a secret"]]) {
    test(`knows us ${how}`, async () => {
      const login = newcomer();
      const browser = await signInWith(new Browser(postern), world.providers[name], login);
      assert.equal(browser.status, 303, reasons());
      assert.equal(await signedIn(browser), `${login}@example.com`);
    });
  }

  test("is not believed without a verified address of an allowed domain", async () => {
    const login = newcomer();
    const strict = world.providers.Strict;
    assert.equal((await signInWith(new Browser(postern), strict, login)).status, 403);
    strict.people[login] = { email: `${login}@example.org`, email_verified: false };
    assert.equal((await signInWith(new Browser(postern), strict, login)).status, 403);
    strict.people[login] = { email: `${login}@example.org` };
    assert.equal((await signInWith(new Browser(postern), strict, login)).status, 303);
  });

  test("leads back to where the person wanted to go", async () => {
    const path = "/login?return_to=%2Fclaim%3Fclaim_attempt_token%3Dx";
    const browser = await signInWith(new Browser(postern), id, newcomer(), path);
    assert.equal(browser.headers.get("location"), "/claim?claim_attempt_token=x");
  });
});

describe("a journey", () => {
  test(`ends once, however many copies of the answer come at once (${ROUNDS} rounds)`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const browser = new Browser(postern);
      await browser.open("/login");
      const callback = await through(await press(browser, id), newcomer());
      const copies = Array.from({ length: 12 }, () => Object.assign(new Browser(postern), { cookies: new Map(browser.cookies) }));
      await Promise.all(copies.map((copy) => comeBack(copy, callback)));
      const statuses = copies.map(({ status }) => status).sort();
      assert.deepEqual(statuses, [303, ...Array(11).fill(410)], reasons());
    }
  });

  test("is of the browser that began it", async () => {
    const eve = new Browser(postern);
    await eve.open("/login");
    const login = newcomer();
    const callback = await through(await press(eve, id), login);
    const ada = await new Browser(postern).open("/login");
    await comeBack(ada, callback);
    assert.equal(ada.status, 410);
    assert.equal(await signedIn(ada), null);
    assert.match(reasons(), /another browser/);
    await comeBack(eve, callback);
    assert.equal(await signedIn(eve), `${login}@example.com`);
  });

  test("takes no code of another", async () => {
    const [ada, eve] = [new Browser(postern), new Browser(postern)];
    await Promise.all([ada.open("/login"), eve.open("/login")]);
    const stolen = new URL(await through(await press(ada, id), newcomer())).searchParams.get("code");
    const own = new URL(await through(await press(eve, id), newcomer()));
    own.searchParams.set("code", stolen);
    await comeBack(eve, own.href);
    assert.equal(eve.status, 502);
    assert.equal(await signedIn(eve), null);
    assert.match(reasons(), /token endpoint: the answer is 400 invalid_grant/);
  });

  test("is not ended by the answer of another provider", async () => {
    const browser = await new Browser(postern).open("/login");
    const callback = new URL(await through(await press(browser, id), newcomer()));
    assert.equal(callback.searchParams.get("iss"), id.issuer);
    callback.searchParams.set("iss", world.providers.Public.issuer);
    assert.equal((await comeBack(browser, callback.href)).status, 410);
    callback.searchParams.delete("iss");
    const silent = await comeBack(browser, callback.href);
    assert.equal(silent.status, 502, "this provider always names itself");
  });

  test("that is refused at the provider changes nothing", async () => {
    const browser = await new Browser(postern).open("/login");
    await comeBack(browser, await through(await press(browser, id), null));
    assert.equal(browser.status, 403);
    assert.match(browser.html, /You are not signed in/);
    assert.doesNotMatch(browser.html, /End-User aborted/);
    assert.equal(await signedIn(browser), null);
  });

  test("to a provider that is down ends with a page that says so", async () => {
    const lost = await federation({ Gone: {} });
    try {
      const browser = await new Browser(lost.postern).open("/login");
      await lost.providers.Gone.stop();
      await browser.submit("/login/upstream");
      assert.equal(browser.status, 503);
      assert.match(browser.html, /Gone does not answer at the moment/);
    } finally {
      await lost.postern.stop();
    }
  });
});

describe("an account that is there", () => {
  const enter = async (browser, email) => {
    await browser.submit("/login", { email });
    await browser.submit("/login/code", { code: codeIn((await newestMail(postern, email)).text) });
  };

  test("is linked by its person and by nobody else", async () => {
    const login = newcomer();
    const email = `${login}@example.com`;
    await new Browser(postern).signIn(email);
    const browser = await signInWith(new Browser(postern), id, login);
    assert.equal(browser.status, 200);
    assert.match(browser.html, /There is an account with the address/);
    assert.equal(await signedIn(browser), null);
    await signInWith(browser, id, login);
    const [, path] = /href="(\/login\?return_to=[^"]*)"/.exec(browser.html);
    await browser.open(path.replaceAll("&#38;", "&"));
    await enter(browser, email);
    assert.equal(browser.status, 200);
    assert.match(browser.html, /Sign in with Example ID from now on\?/);
    const token = forms(browser.html)["/login/upstream/link"][0].token;
    const stranger = await new Browser(postern).signIn(`eve-${email}`);
    await stranger.open("/account");
    const { csrf } = Object.values(forms(stranger.html))[0][0];
    await stranger.post("/login/upstream/link", { csrf, token });
    assert.equal(stranger.status, 410, "another browser");
    await browser.submit("/login/upstream/link");
    assert.match(browser.html, /It is linked\./);
    const again = await signInWith(new Browser(postern), id, login);
    assert.equal(await signedIn(again), email);
  });

  test("links from its page, shows it, and takes it away with the sessions that came of it", async () => {
    const login = newcomer();
    const owner = await new Browser(postern).signIn(`owner-${login}@example.com`);
    await owner.open("/account");
    await comeBack(owner, await through(await press(owner, id, { link: "1" }), login));
    assert.equal(owner.status, 303);
    await owner.open(owner.headers.get("location"));
    await owner.submit("/login/upstream/link");
    assert.match(owner.html, new RegExp(`Example ID <bdi[^>]*>${login}@example.com`));
    const other = await signInWith(new Browser(postern), id, login);
    assert.equal(await signedIn(other), `owner-${login}@example.com`);
    await owner.open("/account");
    await owner.submit("/account/identities/remove");
    assert.match(owner.html, /It no longer signs you in\./);
    assert.equal(await signedIn(other), null);
    const fresh = await signInWith(new Browser(postern), id, login);
    assert.equal(await signedIn(fresh), `${login}@example.com`, "an account of its own");
  });
});

test("nothing of what passes by is in the log", async () => {
  const browser = await new Browser(postern).open("/login");
  const url = new URL(await press(browser, id));
  const callback = await through(url.href, newcomer());
  await comeBack(browser, callback);
  assert.equal(browser.status, 303);
  const log = JSON.stringify(postern.logs);
  const { code, state } = Object.fromEntries(new URL(callback).searchParams);
  for (const secret of [code, state, url.searchParams.get("nonce"), SECRET, "a+secret"]) assert.ok(!log.includes(secret), secret);
});
