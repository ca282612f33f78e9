// Where the keys of a provider come from: caches, rotation, outages, and servers that mean harm.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { until } from "./support/agent.mjs";
import { deploy, freePort } from "./support/postern.mjs";
import { json, listen, makeKey, provide, trusting } from "./support/provider.mjs";
import { admitted, present, push, refusedWith, straight } from "./support/vouched.mjs";

/** One provider for each trouble: after a failure nothing is fetched from there for a minute. */
const NAMES = ["cached", "crowd", "rotating", "unknown", "storm", "down", "late", "gone", "stale", "slow", "drip", "chunked", "large", "redirect", "permanent", "loop", "inward", "empty", "untrusted", "cut", "spaces"];
const HOSTILE = {
  "a 500": (response) => response.writeHead(500).end("{}"),
  "a 404": (response) => response.writeHead(404).end(),
  "a 204": (response) => response.writeHead(204).end(),
  "a 206 with keys": (response, keys) => (response.writeHead(206, { "content-type": "application/json" }), response.end(keys)),
  "a 201 with keys": (response, keys) => (response.writeHead(201, { "content-type": "application/json" }), response.end(keys)),
  "a 401 with keys": (response, keys) => (response.writeHead(401, { "content-type": "application/json" }), response.end(keys)),
  "a page": (response) => json(response, "<!doctype html><title>Sign in</title>", { "content-type": "text/html" }),
  "keys called a page": (response, keys) => json(response, keys, { "content-type": "text/html; charset=utf-8" }),
  "a page called JSON": (response) => json(response, "<!doctype html><title>Sign in</title>"),
  nothing: (response) => json(response, ""),
  null: (response) => json(response, "null"),
  "half of it": (response, keys) => json(response, keys.slice(0, -9)),
  "a list": (response, keys) => json(response, JSON.parse(keys).keys),
  "keys that are no list": (response, keys) => json(response, { keys: { 0: JSON.parse(keys).keys[0] } }),
  "deep nesting": (response) => json(response, `{"keys":${"[".repeat(30_000)}${"]".repeat(30_000)}}`),
  "no UTF-8": (response) => (response.writeHead(200, { "content-type": "application/json" }), response.end(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))),
};
let postern, target, all, hostile;
before(async () => {
  target = await listen((request, response) => json(response, { keys: [] }));
  all = Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await provide({ name })])));
  hostile = await Promise.all(Object.entries(HOSTILE).map(async ([name, answer]) => {
    const provider = await provide({ name });
    provider.answer = (request, response) => answer(response, JSON.stringify({ keys: provider.keys.map(({ jwk }) => jwk) }));
    return [name, provider];
  }));
  const nowhere = await freePort();
  all.gone.trust = () => ({ issuer: all.gone.issuer, name: "gone", jwks_uri: `http://127.0.0.1:${nowhere}/jwks` });
  const { untrusted, ...trusted } = all;
  postern = await deploy({ isolates: 2, vars: trusting(...Object.values(trusted), ...hostile.map(([, provider]) => provider)) });
});
after(() => Promise.all([postern.stop(), target.stop(), ...Object.values(all).map((provider) => provider.stop()), ...hostile.map(([, provider]) => provider.stop())]));

const idJag = (name, changes, header, key) => all[name].idJag(postern, changes, header, key);
const unavailable = async (answer, about) => {
  const got = await refusedWith(answer, 503, "temporarily_unavailable", about);
  assert.ok(Number(got.headers.get("retry-after")) > 0);
  assert.equal(got.headers.get("cache-control"), "no-store");
};

describe("how often keys are fetched", () => {
  test("not at all for an issuer that is not trusted, wherever its assertion is shown (33)", async () => {
    const { untrusted } = all;
    await refusedWith(present(postern, untrusted.idJag(postern)), 400, "invalid_issuer");
    await refusedWith(present(postern, untrusted.idJag(postern, { iss: `${all.cached.issuer}/` })), 400, "invalid_issuer");
    await refusedWith(straight(postern, untrusted.idJag(postern)), 400, "invalid_grant");
    const pushed = await push(postern, untrusted.event(postern, { sub: "x" }));
    assert.deepEqual([pushed.status, pushed.body.err], [400, "invalid_issuer"]);
    await refusedWith(present(postern, untrusted.idJag(postern, {}, { jku: `${untrusted.issuer}/jwks`, kid: untrusted.issuer })), 400, "invalid_issuer");
    assert.equal(untrusted.requests, 0);
  });

  test("not at all for another type or algorithm than ours", async () => {
    await refusedWith(present(postern, idJag("spaces", {}, { typ: "JWT" })), 400, "invalid_signature");
    await refusedWith(present(postern, idJag("spaces", {}, { alg: "none" })), 400, "invalid_signature");
    assert.equal(all.spaces.requests, 0);
  });

  test("once while they are fresh, however short the provider says that is (35)", async () => {
    const { cached } = all;
    cached.answer = (request, response) => json(response, { keys: cached.keys.map(({ jwk }) => jwk) }, { "cache-control": "no-store, max-age=0" });
    for (let again = 0; again < 5; again += 1) await admitted(postern, idJag("cached"));
    assert.equal(cached.fetched(), 1);
    assert.equal(cached.requests, 1, "nothing else is asked of a provider");
  });

  test("once or twice for fifty registrations at once, on both isolates (35)", async () => {
    const { crowd } = all;
    crowd.answer = (request, response) => setTimeout(() => json(response, { keys: crowd.keys.map(({ jwk }) => jwk) }), 200);
    const second = await postern.second();
    // Refused for what they say, and so after the signature: fifty new people at once would keep two small machines busy.
    const changes = { email_verified: false };
    const answers = await Promise.all(Array.from({ length: 50 }, (_, index) => present(postern, idJag("crowd", changes), index % 2 ? { base: second, headers: { "cf-connecting-ip": `10.77.${index}.1` } } : {})));
    for (const { status, body, text } of answers) assert.deepEqual([status, body.error], [400, "missing_verified_email"], text);
    await admitted(postern, idJag("crowd"));
    assert.ok(crowd.fetched() <= 4, `two isolates fetched ${crowd.fetched()} times`);
  });

  test("once more for a name that is not in the set, and then no more for a while (30)", async () => {
    const { unknown } = all;
    await admitted(postern, idJag("unknown"));
    for (let again = 0; again < 5; again += 1) await refusedWith(present(postern, idJag("unknown", {}, { kid: `nobody-${again}` })), 400, "invalid_signature");
    assert.equal(unknown.fetched(), 2);
    await admitted(postern, idJag("unknown"));
    assert.equal(unknown.fetched(), 2);
  });

  test("once more for fifty unknown names at once (30)", async () => {
    const { storm } = all;
    await admitted(postern, idJag("storm"));
    storm.answer = (request, response) => setTimeout(() => json(response, { keys: storm.keys.map(({ jwk }) => jwk) }), 100);
    const tries = await Promise.all(Array.from({ length: 50 }, (_, index) => present(postern, idJag("storm", {}, { kid: `nobody-${index}` }))));
    for (const got of tries) assert.deepEqual([got.status, got.body.error], [400, "invalid_signature"], got.text);
    assert.equal(storm.fetched(), 2);
  });

  test("when the provider rotates: the new key counts at once, the old one not any more (35)", async () => {
    const { rotating } = all;
    await admitted(postern, idJag("rotating"));
    const [old] = rotating.keys;
    rotating.rotate("EdDSA");
    await admitted(postern, idJag("rotating", {}, {}, old));
    const answers = await Promise.all(Array.from({ length: 20 }, () => present(postern, idJag("rotating"))));
    assert.deepEqual(answers.map(({ status }) => status), Array(20).fill(200));
    await refusedWith(present(postern, idJag("rotating", {}, {}, old)), 400, "invalid_signature");
    assert.equal(rotating.fetched(), 2);
  });
});

describe("when keys cannot be had", () => {
  test("the answer is 503, the assertion is not used up, and the provider is left alone for a while (35)", async () => {
    const { down } = all;
    down.answer = (request, response) => response.writeHead(500).end();
    for (let again = 0; again < 5; again += 1) await unavailable(present(postern, idJag("down")));
    assert.equal(down.fetched(), 1);
    const token = idJag("down");
    await unavailable(present(postern, token));
    await unavailable(straight(postern, token));
    down.answer = null;
    await admitted(postern, token, { base: await postern.second(), headers: { "cf-connecting-ip": "10.78.0.1" } });
  });

  test("nobody is there: 503 (35)", () => unavailable(present(postern, idJag("gone"))));

  test("keys that are here serve on while the provider is away, and an unknown name is no verdict (35)", async () => {
    const { stale } = all;
    await admitted(postern, idJag("stale"));
    stale.answer = (request, response) => response.destroy();
    await admitted(postern, idJag("stale"));
    await unavailable(present(postern, idJag("stale", {}, { kid: "new" })));
    await admitted(postern, idJag("stale"));
    assert.equal(stale.fetched(), 2);
  });

  test("a server that does not answer, or never ends, holds nobody up for long (35)", async () => {
    all.slow.answer = () => {};
    all.drip.answer = (request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const timer = setInterval(() => response.write(" "), 100);
      response.on("close", () => clearInterval(timer));
    };
    const began = Date.now();
    await Promise.all(["slow", "drip"].flatMap((name) => Array.from({ length: 5 }, () => unavailable(present(postern, idJag(name)), name))));
    assert.ok(Date.now() - began < 30_000, "as long as a test may hang");
    for (const name of ["slow", "drip"]) assert.ok(all[name].fetched() <= 2, name);
    await admitted(postern, idJag("cached"));
  });

  test("a connection that breaks off in the middle is no key set (35)", async () => {
    all.cut.answer = (request, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": 5000 });
      response.write(JSON.stringify({ keys: all.cut.keys.map(({ jwk }) => jwk) }), () => response.destroy());
    };
    await unavailable(present(postern, idJag("cut")));
  });

  test("more than 64 KiB are not read, with a length or without (35)", async () => {
    const padded = (name) => JSON.stringify({ keys: all[name].keys.map(({ jwk }) => jwk), filler: "x".repeat(2 * 1024 * 1024) });
    all.large.answer = (request, response) => json(response, padded("large"), { "content-length": padded("large").length });
    await unavailable(present(postern, idJag("large")));
    let written = 0;
    all.chunked.answer = (request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write(padded("chunked").slice(0, -1));
      const timer = setInterval(() => (response.write("x".repeat(65_536)), (written += 1)), 5);
      response.on("close", () => clearInterval(timer));
    };
    await unavailable(present(postern, idJag("chunked")));
    await until(() => written < 2000);
    // A little below the limit is read.
    all.late.answer = (request, response) => json(response, { keys: all.late.keys.map(({ jwk }) => jwk), filler: "x".repeat(64 * 1024 - 2000) });
    await admitted(postern, idJag("late"));
  });

  test("redirects are followed nowhere, not even to where they could be (35, 151)", async () => {
    const away = { redirect: [302, `${target.url}/jwks`], permanent: [308, `${target.url}/jwks`], loop: [301, `${all.loop.issuer}/.well-known/jwks.json`], inward: [307, "http://169.254.169.254/latest/meta-data/"] };
    for (const [name, [status, location]] of Object.entries(away)) {
      all[name].answer = (request, response) => response.writeHead(status, { location, "content-type": "application/json" }).end(JSON.stringify({ keys: all[name].keys.map(({ jwk }) => jwk) }));
      await unavailable(present(postern, idJag(name)), name);
      assert.equal(all[name].fetched(), 1, name);
    }
    assert.deepEqual(target.asked, []);
  });

  test("an empty set is a set: whoever signs is unknown (35)", async () => {
    all.empty.answer = (request, response) => json(response, { keys: [] });
    await refusedWith(present(postern, idJag("empty")), 400, "invalid_signature");
  });

  test("an answer that is no key set counts as none (35)", async () => {
    for (const [name, provider] of hostile) await unavailable(present(postern, provider.idJag(postern)), name);
  });
});

describe("the trust list", () => {
  test("takes loopback issuers in development alone; production refuses to start with one (151)", async () => {
    const vars = { DEV: null, ISSUER: "https://auth.example.com" };
    const faulty = await deploy({ vars: { ...vars, TRUSTED_PROVIDERS: JSON.stringify([{ issuer: "http://127.0.0.1:1", name: "Local" }, { issuer: "https://10.0.0.1", name: "Inside" }, { issuer: "https://auth.example.com/", name: "Ourselves" }]) }, persist: false });
    try {
      assert.equal((await faulty.get("/health")).status, 500);
      await until(() => faulty.lines().some((line) => line.status === 500));
      const { reason } = faulty.lines().find((line) => line.status === 500);
      assert.match(reason, /127\.0\.0\.1:1/);
      assert.match(reason, /10\.0\.0\.1/);
      assert.match(reason, /our own/);
    } finally {
      await faulty.stop();
    }
  });

  test("is empty by default, and then nobody's word counts (3.7)", async () => {
    const alone = await deploy({ persist: false });
    try {
      const got = await present(alone, all.untrusted.idJag(alone, { sub: randomUUID() }));
      assert.deepEqual([got.status, got.body.error], [400, "issuer_not_enabled"]);
      const metadata = await (await alone.get("/.well-known/oauth-authorization-server")).json();
      assert.ok(!JSON.stringify(metadata).includes("id-jag"));
      assert.equal(metadata.agent_auth.events_supported, undefined);
      assert.equal(metadata.authorization_grant_profiles_supported, undefined);
      assert.equal(all.untrusted.requests, 0);
    } finally {
      await alone.stop();
    }
  });

  test("puts ID-JAGs into the metadata once it names somebody (C11, mcp 1.7)", async () => {
    const metadata = await (await postern.get("/.well-known/oauth-authorization-server")).json();
    assert.deepEqual(metadata.authorization_grant_profiles_supported, ["urn:ietf:params:oauth:grant-profile:id-jag"]);
    assert.ok(metadata.agent_auth.identity_types_supported.includes("identity_assertion"));
    assert.ok(metadata.agent_auth.identity_assertion.assertion_types_supported.includes("urn:ietf:params:oauth:token-type:id-jag"));
    assert.ok(!JSON.stringify(metadata).includes(all.cached.issuer), "whom we trust is not published");
  });

  test("a key that only another provider has published signs for nobody else", async () => {
    const { cached, crowd } = all;
    await refusedWith(present(postern, cached.sign({ typ: "oauth-id-jag+jwt" }, { ...cached.claims(postern), iss: crowd.issuer, client_id: crowd.issuer })), 400, "invalid_signature");
    await refusedWith(present(postern, crowd.idJag(postern, {}, { kid: crowd.keys[0].kid }, makeKey())), 400, "invalid_signature");
  });
});
