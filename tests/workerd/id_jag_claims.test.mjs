// ID-JAGs: what they have to say, and what must not be believed.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { address, deploy } from "./support/postern.mjs";
import { json, listen, provide, seconds, trusting } from "./support/provider.mjs";
import { Browser } from "./support/person.mjs";
import { admitted, asked, present, push, refusedWith } from "./support/vouched.mjs";

const SHOP = "https://shop.example/v1";
let postern, provider, other, strict, documents;
before(async () => {
  [provider, other, strict] = [await provide(), await provide({ name: "Other Agents" }), await provide({ entry: { required_amr: ["mfa", "hwk"], max_auth_age: 120 } })];
  documents = await listen((request, response) => documents.answer(request, response));
  const resources = [{ uri: SHOP, alternates: ["https://www.shop.example/v1"] }];
  provider.entry.client_metadata = `${documents.url}/pinned.json`;
  postern = await deploy({ vars: { ...trusting(provider, other, strict), RESOURCES: JSON.stringify(resources) } });
});
after(() => Promise.all([postern.stop(), provider.stop(), other.stop(), strict.stop(), documents.stop()]));

const shown = (changes, from = provider) => present(postern, from.idJag(postern, changes));
const refuse = (changes, error, status = 400) => refusedWith(shown(changes), status, error, JSON.stringify(changes));
const admit = (changes, from = provider) => admitted(postern, from.idJag(postern, changes));

describe("aud", () => {
  test("is our issuer or a resource of ours, with or without a slash (57, 20, C14)", async () => {
    const { issuer } = postern;
    for (const aud of [issuer, `${issuer}/`, `${issuer}/mcp`, `${issuer}/mcp/`, `${issuer}/api/v1`, SHOP, `${SHOP}/`, "https://www.shop.example/v1"]) await admit({ aud });
  });

  test("of somebody else, of several, empty or missing is invalid_audience, never expired (57, 20, v0.1 7 and 12)", async () => {
    const { issuer } = postern;
    const wrong = ["https://other.example", [issuer], [issuer, "https://other.example"], ["https://other.example"], [], "", undefined, null, 5, {}, `${issuer}//`, `${issuer}/x`, `${issuer}?`, `${issuer}#`, issuer.toUpperCase(), ` ${issuer}`, issuer.replace("localhost", "localhost."), issuer.replace("//", "//x@"), `${SHOP}/items`, SHOP.slice(0, -1), "unexpected", provider.issuer];
    for (const aud of wrong) await refuse({ aud }, "invalid_audience");
    // The wrong audience is what is said first, however much else is wrong.
    await refuse({ aud: "https://other.example", exp: 5, iat: 1 }, "invalid_audience");
  });
});

describe("time", () => {
  const at = (exp, iat = 0, more = {}) => ({ exp: seconds() + exp, iat: seconds() + iat, ...more });

  test("exp must be there, and not be over by more than the skew (21, v0.1 3)", async () => {
    for (const exp of [undefined, null, "x", String(seconds() + 300), seconds() + 300.5, -1, -(2 ** 53), true, [], 1e300]) {
      const got = await shown({ exp });
      assert.equal(got.status, 400, `${exp} ${got.text}`);
      assert.ok(["invalid_request", "expired"].includes(got.body.error), got.text);
    }
    await refuse(at(-90, -300), "expired");
    await refuse(at(-3600, -3900), "expired");
    await admit(at(-20, -300));
    await admit(at(0, -300));
  });

  test("nothing lasts longer than an hour, and nothing ends before it begins (21, 22)", async () => {
    await admit(at(3600));
    await refuse(at(3700), "expired");
    await refuse(at(10 * 365 * 86_400), "expired");
    await refuse(at(30, -4000), "expired");
    await refuse(at(20, 30), "expired");
    await refuse(at(30, 30), "expired");
  });

  test("iat must be there, and lie ahead by no more than the skew (22)", async () => {
    await admit(at(300, 30));
    await refuse(at(600, 90), "expired");
    await refuse(at(600, 300), "expired");
    for (const iat of [undefined, null, "0", 1.5, -5]) {
      const got = await shown({ iat });
      assert.equal(got.status, 400, `${iat} ${got.text}`);
      assert.ok(["invalid_request", "expired"].includes(got.body.error), got.text);
    }
  });

  test("nbf in the future is too early (23)", async () => {
    await admit(at(300, 0, { nbf: seconds() + 20 }));
    await refuse(at(300, 0, { nbf: seconds() + 120 }), "expired");
    assert.equal((await shown({ nbf: "soon" })).status, 400);
  });

  test("an assertion that is over but borne by the skew is still used once (27)", async () => {
    const token = provider.idJag(postern, at(-25, -300));
    await admitted(postern, token);
    await refusedWith(present(postern, token), 400, "replay_detected");
  });
});

describe("names", () => {
  test("sub and jti are strings of 1 to 255 characters (24)", async () => {
    for (const name of ["sub", "jti"]) for (const wrong of [undefined, null, "", 5, [], {}, "x".repeat(256), "x".repeat(10_240)]) await refuse({ [name]: wrong }, "invalid_request");
    await admit({ sub: "\u00fc".repeat(200), jti: `${randomUUID()}${"x".repeat(200)}` });
  });

  test("a jti counts once for each issuer, and not for another one (24, 65, v0.1 10)", async () => {
    const jti = randomUUID();
    await admit({ jti });
    await refuse({ jti }, "replay_detected");
    await admit({ jti }, other);
    await refusedWith(shown({ jti }, other), 400, "replay_detected");
    // Assertions and events do not share their names.
    const seen = randomUUID();
    assert.equal((await push(postern, provider.event(postern, { sub: "nobody", jti: seen }))).status, 202);
    await admit({ jti: seen });
    const [used, who] = [randomUUID(), { sub: "shares-names", email: "shares-names@example.com" }];
    await admit({ ...who, jti: used });
    assert.equal((await push(postern, provider.event(postern, { sub: who.sub, jti: used }))).status, 202);
    await asked(postern, provider.idJag(postern, who));
  });

  test("a refused assertion is not used up: mended it may come again, and once only (26, 65, v0.1 11)", async () => {
    const jti = randomUUID();
    const [sub, email] = [`mended-${jti}`, `${jti}@example.com`];
    await refuse({ jti, sub, email, email_verified: false }, "missing_verified_email");
    await refuse({ jti, sub, email, aud: "https://other.example" }, "invalid_audience");
    await refuse({ jti, sub, email, auth_time: undefined }, "login_required", 401);
    await refuse({ jti, sub, email, client_id: "x" }, "invalid_client_id");
    await admit({ jti, sub, email });
    await refuse({ jti, sub, email }, "replay_detected");
  });

  test("iss is compared byte for byte (33)", async () => {
    const { issuer } = provider;
    const wrong = [`${issuer}/`, issuer.toUpperCase(), issuer.replace("//", "//user@"), issuer.replace("127.0.0.1", "localhost"), issuer.replace("127.0.0.1", "127.1"), issuer.replace("127.0.0.1", "2130706433"), "https://xn--80ak6aa92e.example", [issuer], { issuer }, null, undefined, "", ` ${issuer}`, `${issuer}\u0000`];
    for (const iss of wrong) await refuse({ iss }, "invalid_issuer");
    await refuse({ iss: other.issuer }, "invalid_signature");
    await refuse({ iss: postern.issuer }, "invalid_issuer");
  });
});

describe("client_id", () => {
  test("is the provider's issuer, or its pinned document without a fetch; missing or foreign is refused (36)", async () => {
    await admit({ client_id: provider.issuer });
    await admit({ client_id: `${documents.url}/pinned.json` });
    assert.equal(documents.asked.length, 0);
    for (const client_id of [undefined, null, "", 5, [provider.issuer], "agent", other.issuer, `${provider.issuer}/`, documents.url, `${documents.url}/`, `${documents.url}/a#b`, `${documents.url}/a/../b`, "javascript:1", "urn:x"]) await refuse({ client_id }, "invalid_client_id");
    assert.equal(documents.asked.length, 0);
  });

  test("is a document that names itself and the provider's key set (36)", async () => {
    const jwks_uri = `${provider.issuer}/.well-known/jwks.json`;
    const own = (request) => `${documents.url}${request.url}`;
    const served = {
      "/good.json": (request, response) => json(response, { client_id: own(request), client_name: "Good", jwks_uri }),
      "/other-name.json": (request, response) => json(response, { client_id: `${documents.url}/good.json`, jwks_uri }),
      "/other-keys.json": (request, response) => json(response, { client_id: own(request), jwks_uri: `${documents.url}/jwks` }),
      "/no-keys.json": (request, response) => json(response, { client_id: own(request) }),
      "/inline-keys.json": (request, response) => json(response, { client_id: own(request), jwks: { keys: [] } }),
      "/array.json": (request, response) => json(response, [{ client_id: own(request), jwks_uri }]),
      "/page.html": (request, response) => json(response, { client_id: own(request), jwks_uri }, { "content-type": "text/html" }),
      "/large.json": (request, response) => json(response, { client_id: own(request), jwks_uri, filler: "x".repeat(5 * 1024 * 1024) }),
      "/broken.json": (request, response) => json(response, "{"),
      "/down.json": (request, response) => response.writeHead(500).end(),
      "/moved.json": (request, response) => response.writeHead(302, { location: `${documents.url}/good.json` }).end(),
      "/cut.json": (request, response) => response.destroy(),
    };
    documents.answer = (request, response) => (served[request.url] ?? served["/down.json"])(request, response);
    await admit({ client_id: `${documents.url}/good.json` });
    const before = documents.asked.filter((path) => path === "/good.json").length;
    for (const path of Object.keys(served).slice(1)) await refuse({ client_id: documents.url + path }, "invalid_client_id");
    assert.equal(documents.asked.filter((path) => path === "/good.json").length, before, "a redirect is not followed");
    await admit({ client_id: `${documents.url}/good.json` });
    assert.equal(documents.asked.filter((path) => path === "/good.json").length, before, "the document is kept");
    await refusedWith(shown({ client_id: `${documents.url}/good.json` }, other), 400, "invalid_client_id");
  });

  test("in a private network is not fetched (151)", async () => {
    const hosts = ["10.0.0.1", "192.168.0.1", "169.254.169.254", "0.0.0.0", "2130706433", "0x7f000001", "017700000001", "[::ffff:127.0.0.1]", "[fd00::1]", "[::]", "metadata.google.internal", "a.internal", "printer.local", "intranet", "metadata.goog"];
    for (const host of hosts) for (const url of [`https://${host}/client.json`, `http://${host}/client.json`]) await refuse({ client_id: url }, "invalid_client_id");
    for (const url of [`http://${documents.url.slice(7)}@10.0.0.1/c`, "ftp://127.0.0.1/c", "file:///etc/hosts", "data:application/json,{}", "https://u:p@agent.example.com/c", "https://agent.example.com:8443/c"]) await refuse({ client_id: url }, "invalid_client_id");
    const tried = postern.lines().filter(({ event }) => event === "document_unreachable").map(({ reason }) => reason).filter((reason) => /10\.0\.0\.1|169\.254|internal/.test(reason));
    assert.ok(tried.every((reason) => /not fetched/.test(reason)), tried.join("\n"));
  });
});

describe("the person", () => {
  const nobody = { email: undefined, email_verified: undefined };
  const phone = () => `+4915${String(Math.floor(Math.random() * 1e9)).padStart(9, "0")}`;

  test("is verified by a real true beside an address or a number, or is nobody (37, 38)", async () => {
    for (const email_verified of ["true", 1, "1", "yes", [true], {}, null, false, undefined]) await refuse({ email_verified }, "missing_verified_email");
    for (const email of [undefined, null, "", 5, ["a@example.com"], "no-address", "a@b@example.com", "a@example.com\r\nbcc: b@example.com", " @example.com", `${"x".repeat(400)}@example.com`]) await refuse({ email, email_verified: true }, "missing_verified_email");
    for (const phone_number_verified of ["true", 1, null, false, undefined]) await refuse({ ...nobody, phone_number: phone(), phone_number_verified }, "missing_verified_email");
    for (const phone_number of [undefined, null, "", 49151234567, "0151234567", "+", "+0123456789", "+49 151 234567", "+4915123456789012345", "+49a1234567"]) await refuse({ ...nobody, phone_number, phone_number_verified: true }, "missing_verified_email");
    await refuse(nobody, "missing_verified_email");
    await admit({ ...nobody, phone_number: phone(), phone_number_verified: true });
    await admit({ email_verified: false, phone_number: phone(), phone_number_verified: true });
  });

  test("with a throw-away address counts as unverified", async () => {
    await refuse({ email: `${randomUUID()}@mailinator.com` }, "missing_verified_email");
  });

  test("has signed in at the provider within the hour, and not in the future (58, 44)", async () => {
    const old = async (auth_time) => {
      const got = await refuse({ auth_time }, "login_required", 401);
      assert.equal(got.body.max_age, 3600);
      const challenge = got.headers.get("www-authenticate");
      assert.match(challenge, /^AgentAuth error="login_required", max_age="3600", error_description="[^"]+"$/);
      assert.equal(got.body.claim, undefined);
      assert.equal(got.body.claim_token, undefined);
      assert.equal(got.headers.get("cache-control"), "no-store");
    };
    const now = seconds();
    for (const auth_time of [undefined, null, "0", String(now), now + 0.5, -1, 0, now - 3675, now - 86_400, now + 90, now + 86_400, true]) await old(auth_time);
    for (const auth_time of [now - 3640, now - 3590, now - 1, now + 40]) await admit({ auth_time });
  });

  test("who is known is not exempt from that (58)", async () => {
    const [sub, email] = [randomUUID(), `${randomUUID()}@example.com`];
    await admit({ sub, email });
    await refuse({ sub, email, auth_time: seconds() - 3700 }, "login_required", 401);
    await refuse({ sub, email, auth_time: undefined }, "login_required", 401);
    await admit({ sub, email });
  });

  test("has signed in by all methods that the trust list demands, and as lately (44)", async () => {
    const methods = (amr, more) => shown({ amr, ...more }, strict);
    for (const amr of [undefined, null, [], ["mfa"], ["hwk"], "mfa hwk", ["MFA", "hwk"], ["mfa", "hwk", 5], { mfa: true, hwk: true }]) await refusedWith(methods(amr), 400, "insufficient_user_authentication", JSON.stringify(amr));
    assert.equal((await methods(["pwd", "hwk", "mfa"])).status, 200);
    const late = await refusedWith(methods(["mfa", "hwk"], { auth_time: seconds() - 200 }), 401, "login_required");
    assert.equal(late.body.max_age, 120);
    assert.match(late.headers.get("www-authenticate"), /max_age="120"/);
  });

  test("is the one whom the subject is bound to, whatever address an assertion says (40)", async () => {
    const victim = `${randomUUID()}@example.com`;
    await new Browser(postern, { ip: address() }).signIn(victim);
    const [sub, email] = [randomUUID(), `${randomUUID()}@example.com`];
    const first = await admit({ sub, email });
    assert.equal((await admit({ sub, email: victim })).registration_id, first.registration_id);
    const person = await new Browser(postern).signIn(victim);
    await person.open("/account");
    assert.ok(!person.html.includes(first.registration_id));
  });
});
