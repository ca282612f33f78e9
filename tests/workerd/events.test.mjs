// Security events (RFC 8417, RFC 8935) and the logout tokens of auth.md v0.1: which of them count.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call } from "./support/agent.mjs";
import { read } from "./support/answers.mjs";
import { Browser } from "./support/person.mjs";
import { deploy } from "./support/postern.mjs";
import { REVOKED, REVOKED_TOO, makeKey, provide, seconds, trusting } from "./support/provider.mjs";
import { admitted, asked, confirmTyped, exchangeable, presentV01, push, pushV01 } from "./support/vouched.mjs";

const SHOP = "https://shop.example/v1";
let postern, provider, other, stranger;
before(async () => {
  [provider, other, stranger] = [await provide(), await provide({ name: "Other Agents" }), await provide()];
  postern = await deploy({ vars: { ...trusting(provider, other), RESOURCES: JSON.stringify([{ uri: SHOP }]) } });
});
after(() => Promise.all([postern.stop(), provider.stop(), other.stop(), stranger.stop()]));

const person = () => ({ sub: randomUUID(), email: `${randomUUID()}@example.com` });
/** An agent of somebody new, and whether it is still in. */
async function agent(from = provider) {
  const who = person();
  const body = await admitted(postern, from.idJag(postern, who));
  return { ...who, id: body.id, assertion: body.identity_assertion, lives: async () => (await exchangeable(postern, body.identity_assertion)) === 200 };
}
const acknowledged = async (token, options) => {
  const got = await push(postern, token, options);
  assert.deepEqual([got.status, got.text], [202, ""]);
};
const refused = async (answer, err, about) => {
  const got = await answer;
  assert.deepEqual([got.status, got.body?.err], [400, err], `${about} ${got.text}`);
  assert.deepEqual(Object.keys(got.body).sort(), ["description", "err"]);
  assert.match(got.headers.get("content-type"), /^application\/json/);
};

describe("an event that counts", () => {
  test("has either name of the event, and 202 without a body for an answer (71, 7, C24)", async () => {
    for (const uri of [REVOKED, REVOKED_TOO]) {
      const { sub, lives } = await agent();
      assert.ok(await lives());
      await acknowledged(provider.event(postern, { sub, events: { [uri]: {} } }));
      assert.ok(!(await lives()), uri);
    }
    const { sub, lives } = await agent();
    await acknowledged(provider.event(postern, { sub, events: { "https://example.com/other": { a: 1 }, [REVOKED]: { reason: "x" } } }));
    assert.ok(!(await lives()), "among others");
  });

  test("is for our issuer or one of our resources, with or without a slash, as a string or a list of one (71, 99, C14, v0.1 12)", async () => {
    const { issuer } = postern;
    for (const aud of [issuer, `${issuer}/`, [issuer], [`${issuer}/`], SHOP, `${issuer}/mcp`]) {
      const { sub, lives } = await agent();
      await acknowledged(provider.event(postern, { sub, aud }));
      assert.ok(!(await lives()), JSON.stringify(aud));
    }
  });

  test("ends a registration whose assertion named us in another spelling (C14)", async () => {
    const who = person();
    const { identity_assertion } = await admitted(postern, provider.idJag(postern, { ...who, aud: `${postern.issuer}/` }));
    await acknowledged(provider.event(postern, { sub: who.sub, aud: `${postern.issuer}/mcp` }));
    assert.equal(await exchangeable(postern, identity_assertion), 400);
  });

  test("names its subject by sub, or by sub_id (RFC 9493)", async () => {
    const { sub, lives } = await agent();
    await acknowledged(provider.event(postern, { sub_id: { format: "iss_sub", iss: provider.issuer, sub } }));
    assert.ok(!(await lives()));
    const spared = await agent();
    await refused(push(postern, provider.event(postern, { sub_id: { format: "iss_sub", iss: other.issuer, sub: spared.sub } })), "invalid_request", "another issuer's");
    await refused(push(postern, provider.event(postern, { sub: "x", sub_id: { format: "iss_sub", iss: provider.issuer, sub: spared.sub } })), "invalid_request", "two subjects");
    assert.ok(await spared.lives());
  });

  test("of a subject that nobody knows has the same answer (100)", async () => {
    const { sub } = await agent();
    const [known, unknown] = [await push(postern, provider.event(postern, { sub })), await push(postern, provider.event(postern, { sub: randomUUID() }))];
    const face = ({ status, text, headers }) => [status, text, ...[...headers].filter(([name]) => !["date", "x-request-id"].includes(name)).map(String)];
    assert.deepEqual(face(known), face(unknown));
  });

  test("that means nothing here is acknowledged and changes nothing (71)", async () => {
    const { sub, lives } = await agent();
    for (const uri of ["https://schemas.openid.net/secevent/caep/event-type/token-claims-change", `${REVOKED}/`, REVOKED.toUpperCase(), REVOKED.replace("https", "http"), "revoked"]) await acknowledged(provider.event(postern, { sub, events: { [uri]: {} } }));
    assert.ok(await lives());
  });

  test("is carried out once; replayed, it is acknowledged without effect, also after the subject has come back (71, 99)", async () => {
    const { sub, lives, ...who } = await agent();
    const token = provider.event(postern, { sub });
    await acknowledged(token);
    assert.ok(!(await lives()));
    const { confirmed } = await back(sub, who.email);
    await acknowledged(token);
    await acknowledged(provider.sign({ typ: "secevent+jwt" }, { ...JSON.parse(Buffer.from(token.split(".")[1], "base64url")), iat: seconds() }));
    assert.equal(await exchangeable(postern, confirmed), 200);
    await acknowledged(provider.event(postern, { sub }));
    assert.equal(await exchangeable(postern, confirmed), 400, "a new one counts");
  });

  test("that came before anybody knew the subject has no effect on who registers later, replayed or not (71)", async () => {
    const who = person();
    const token = provider.event(postern, { sub: who.sub });
    await acknowledged(token);
    const { identity_assertion } = await admitted(postern, provider.idJag(postern, who));
    await acknowledged(token);
    assert.equal(await exchangeable(postern, identity_assertion), 200, "what was acknowledged is not carried out again");
  });

  /** The subject comes back: its person signs in and confirms. */
  async function back(sub, email) {
    const browser = await new Browser(postern).signIn(email);
    const step = await asked(postern, provider.idJag(postern, { sub, email }));
    return { confirmed: (await confirmTyped(postern, browser, step)).identity_assertion };
  }
});

describe("an event that does not count", () => {
  let victim;
  before(async () => (victim = await agent()));
  after(async () => assert.ok(await victim.lives(), "nothing refused had any effect"));
  const event = (changes, header) => provider.event(postern, { sub: victim.sub, ...changes }, header);

  test("has another content type, or none, or no body (71, 99)", async () => {
    for (const type of ["application/jwt", "application/json", "application/x-www-form-urlencoded", "text/plain", "application/logout+jwt", "application/secevent+jwtx", ""]) await refused(push(postern, event(), { type }), "invalid_request", type);
    for (const body of ["", " ", "x", "a.b.c", "..", "{}"]) {
      const got = await push(postern, body);
      assert.equal(got.status, 400, got.text);
      assert.ok(["invalid_request", "invalid_issuer"].includes(got.body.err), got.text);
    }
  });

  test("and one whose content type has parameters or upper case does count", async () => {
    for (const type of ["application/secevent+jwt; charset=utf-8", "Application/SecEvent+JWT"]) {
      const { sub, lives } = await agent();
      await acknowledged(provider.event(postern, { sub }), { type });
      assert.ok(!(await lives()));
    }
  });

  test("has no events, or something else in their place (71, 99)", async () => {
    for (const events of [undefined, null, {}, [], [REVOKED], [{ [REVOKED]: {} }], REVOKED, 5, true]) await refused(push(postern, event({ events })), "invalid_request", JSON.stringify(events));
  });

  test("is not ours to judge: wrong audience (71, 99)", async () => {
    for (const aud of [undefined, null, "", [], "https://other.example", ["https://other.example"], [postern.issuer, "https://other.example"], [postern.issuer, postern.issuer], `${postern.issuer}//`, { aud: postern.issuer }]) await refused(push(postern, event({ aud })), "invalid_audience", JSON.stringify(aud));
  });

  test("is another's: untrusted issuer without a fetch, another provider's key, a stranger's key (99, 101)", async () => {
    await refused(push(postern, stranger.event(postern, { sub: victim.sub })), "invalid_issuer");
    for (const iss of [undefined, null, "", postern.issuer, `${provider.issuer}/`, [provider.issuer], stranger.issuer]) await refused(push(postern, event({ iss })), "invalid_issuer", JSON.stringify(iss));
    assert.equal(stranger.requests, 0);
    const forged = (key, kid) => provider.sign({ typ: "secevent+jwt", kid }, { iss: provider.issuer, aud: postern.issuer, sub: victim.sub, jti: randomUUID(), iat: seconds(), events: { [REVOKED]: {} } }, key);
    await refused(push(postern, forged(makeKey(), provider.keys[0].kid)), "authentication_failed");
    await refused(push(postern, forged(other.keys[0], provider.keys[0].kid)), "authentication_failed");
    const unknown = await push(postern, forged(other.keys[0], other.keys[0].kid));
    assert.deepEqual([unknown.status, ["invalid_key", "authentication_failed"].includes(unknown.body.err)], [400, true], unknown.text);
    await refused(push(postern, event().replace(/\.[^.]*$/, ".")), "authentication_failed", "unsigned");
    await refused(push(postern, event({}, { alg: "none" })), "authentication_failed", "none");
    // Another provider with the same subject ends nothing here.
    await acknowledged(other.event(postern, { sub: victim.sub }));
  });

  test("is of another type (80, 99)", async () => {
    for (const typ of [undefined, "JWT", "logout+jwt", "oauth-id-jag+jwt", "at+jwt", ""]) await refused(push(postern, event({}, { typ })), "authentication_failed", typ);
    await refused(push(postern, provider.idJag(postern, { sub: victim.sub })), "authentication_failed", "an ID-JAG");
  });

  test("is old, of the future, or over (99)", async () => {
    const now = seconds();
    for (const iat of [now - 400, now - 86_400, now + 120, 0]) await refused(push(postern, event({ iat })), "authentication_failed", String(iat - now));
    for (const iat of [undefined, null, "now", 1.5, -1]) await refused(push(postern, event({ iat })), "invalid_request", String(iat));
    await refused(push(postern, event({ exp: now - 100 })), "authentication_failed");
  });

  test("lacks its subject or its name, or has a nonce (99)", async () => {
    for (const sub of [undefined, null, "", 5, [], "x".repeat(256)]) await refused(push(postern, event({ sub })), "invalid_request", JSON.stringify(sub));
    for (const jti of [undefined, null, "", 5, "x".repeat(256)]) await refused(push(postern, event({ jti })), "invalid_request", JSON.stringify(jti));
    for (const nonce of ["n", "", null]) {
      const got = await push(postern, event({ nonce }));
      assert.equal(got.status, 400, got.text);
    }
  });

  test("does not use its name up: mended it may come again (26)", async () => {
    const [jti, { sub, lives }] = [randomUUID(), await agent()];
    await refused(push(postern, provider.event(postern, { sub, jti, aud: "https://other.example" })), "invalid_audience");
    await refused(push(postern, provider.event(postern, { sub, jti, events: {} })), "invalid_request");
    await acknowledged(provider.event(postern, { sub, jti }));
    assert.ok(!(await lives()));
  });
});

describe("logout tokens of auth.md v0.1", () => {
  async function keyed() {
    const who = person();
    const { body } = await presentV01(postern, provider.idJag(postern, who), "api_key");
    return { ...who, id: body.registration_id, lives: async () => (await call(postern.issuer, body.credential)) === 200 };
  }

  test("end the registration and say how many; of an unknown subject none (99, 100)", async () => {
    const { sub, lives } = await keyed();
    assert.ok(await lives());
    const got = await pushV01(postern, provider.logout(postern, { sub }));
    assert.deepEqual([got.status, got.body], [200, { revoked: 1 }], got.text);
    assert.ok(!(await lives()));
    assert.deepEqual((await pushV01(postern, provider.logout(postern, { sub: randomUUID() }))).body, { revoked: 0 });
  });

  test("count once: a replay is refused (71, 99)", async () => {
    const { sub } = await keyed();
    for (const token of [provider.logout(postern, { sub }), provider.logout(postern, { sub: randomUUID() })]) {
      assert.equal((await pushV01(postern, token)).status, 200);
      const again = await pushV01(postern, token);
      assert.deepEqual([again.status, again.body?.error], [400, "replay_detected"], again.text);
      assert.ok(again.body.message.length > 5);
    }
  });

  test("must carry the event, and no nonce (99)", async () => {
    const { sub, lives } = await keyed();
    for (const changes of [{ events: undefined }, { events: {} }, { events: [REVOKED] }, { events: { "http://schemas.openid.net/event/backchannel-logout": {} } }, { nonce: "n" }, { aud: "https://other.example" }, { sub: undefined }, { jti: undefined }, { iat: undefined }, { iat: seconds() - 4000 }, { iss: stranger.issuer }]) {
      const got = await pushV01(postern, provider.logout(postern, { sub, ...changes }));
      assert.equal(got.status, 400, `${JSON.stringify(changes)} ${got.text}`);
      assert.ok(got.body.error && got.body.message, got.text);
    }
    assert.ok(await lives());
  });

  test("are refused at the other endpoint, and security events here, by content type and by typ (80)", async () => {
    const { sub, lives } = await keyed();
    await refused(push(postern, provider.logout(postern, { sub }), { type: "application/logout+jwt" }), "invalid_request");
    await refused(push(postern, provider.logout(postern, { sub })), "authentication_failed");
    assert.equal((await pushV01(postern, provider.event(postern, { sub }), { type: "application/secevent+jwt" })).status, 400);
    assert.equal((await pushV01(postern, provider.event(postern, { sub }))).status, 400);
    assert.ok(await lives());
  });
});

test("events_endpoint and events_supported name what works (7)", async () => {
  const { body } = await read(postern.get("/.well-known/oauth-authorization-server"));
  assert.equal(body.agent_auth.events_endpoint, `${postern.issuer}/agent/event/notify`);
  assert.deepEqual([...body.agent_auth.events_supported].sort(), [REVOKED, REVOKED_TOO].sort());
  assert.equal(body.agent_auth.revocation_uri, `${postern.issuer}/agent/auth/revoke`);
});
