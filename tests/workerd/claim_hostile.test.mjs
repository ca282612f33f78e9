// Whatever is sent to the paths of the ceremony: a decent refusal, and the ceremony goes on as if nothing had been.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { registerKey } from "./support/agent.mjs";
import { asking, atPage, csrf, onBehalf, reveal, someone, type } from "./support/ceremony.mjs";
import { complete, poll } from "./support/claim.mjs";
import { Browser } from "./support/person.mjs";
import { address, deploy } from "./support/postern.mjs";
import { records } from "./support/storage.mjs";
import { raw, send } from "./support/wire.mjs";

const AGENT = ["/agent/identity", "/agent/identity/claim", "/agent/identity/claim/complete", "/agent/auth", "/agent/auth/claim", "/agent/auth/claim/complete", "/agent/auth/claim/attempt/challenge"];
const PEOPLE = ["/login", "/login/code", "/login/link", "/logout", "/claim/code", "/claim/deny", "/agent/identity/claim/complete"];
const FIELDS = ["type", "identity_type", "assertion_type", "assertion", "login_hint", "email", "agent", "requested_credential_type", "refresh_token", "claim_token", "user_code", "otp", "claim_attempt_token"];
const DEEP = "[".repeat(20_000) + "]".repeat(20_000);

let postern, ceremony, person, older;
before(async () => {
  postern = await deploy({ vars: { REGISTRATIONS_PER_NETWORK_PER_HOUR: "100000", MAILS_PER_NETWORK_PER_HOUR: "100000" } });
  ceremony = await onBehalf(postern);
  person = await atPage(postern, ceremony);
  older = await registerKey(postern);
});
after(() => postern.stop());

const post = (path, body, headers = {}) => {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
  return send(postern, path, { method: "POST", headers: { "content-type": "application/json", "cf-connecting-ip": address(), "content-length": String(bytes.length), ...headers }, body: bytes });
};

/** A refusal that an agent can read. */
function decent({ status, headers, body }, what) {
  assert.ok(status >= 400 && status < 500, `${status} for ${what}: ${body.slice(0, 300)}`);
  assert.equal(headers["content-type"], "application/json", what);
  assert.equal(headers["cache-control"], "no-store", what);
  const { error, message, error_description } = JSON.parse(body);
  assert.ok(error && message && message === error_description, `${what} ${body}`);
}

describe("a body that is no JSON object of the right fields", () => {
  const BODIES = {
    nothing: "", space: " \n", null: "null", true: "true", number: "1", string: '"x"', array: "[]", "array of one": '[{"type":"anonymous"}]', "an empty object": "{}", cut: '{"claim_token":"', "two objects": "{}{}", "a comma too many": '{"type":"anonymous",}', "single quotes": "{'type':'anonymous'}", comment: '{"type":"anonymous"}//', deep: DEEP, "a deep field": `{"claim_token":${DEEP}}`, "a byte order mark": '\ufeff{"type":"anonymous"}', "broken UTF-8": Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), "broken UTF-8 in a value": Buffer.concat([Buffer.from('{"type":"anonymous","x":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]), "UTF-16": Buffer.from('{"type":"anonymous"}', "utf16le"), "a lone surrogate": '{"type":"\\ud800"}', NaN: '{"type":NaN}', "a huge number": `{"claim_token":${"9".repeat(10_000)}}`, zeros: "\0".repeat(100), form: "type=anonymous&claim_token=x",
  };
  for (const path of AGENT)
    test(`is refused at ${path}`, async () => {
      for (const [what, body] of Object.entries(BODIES)) decent(await post(path, body), `${path} ${what}`);
      for (const name of FIELDS) {
        decent(await post(path, `{"type":"service_auth","login_hint":"x","${name}":"a","${name}":"b"}`), `${path} twice ${name}`);
        for (const value of ["[]", "{}", "0", "1e400", '[["a"]]', '{"$ne":null}', `"${"x".repeat(60_000)}"`, '"\\u0000"', '"\\ud800"'])
          decent(await post(path, `{"type":"nonesuch","assertion_type":"nonesuch","${name === "type" ? "x" : name}":${value}}`), `${path} ${name} ${value.slice(0, 20)}`);
      }
    });

  for (const path of AGENT)
    test(`of another content type, or longer than 64 KiB, is refused at ${path}`, async () => {
      const good = JSON.stringify({ type: "anonymous", requested_credential_type: "api_key", claim_token: ceremony.claim_token, login_hint: ceremony.email, email: ceremony.email, user_code: "000000", otp: "000000", claim_attempt_token: ceremony.view });
      for (const wrongly of ["text/plain", "text/json", "application/jsonp", "application/json-patch+json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded2", "", "json", "application/ json", "text/plain; application/json"]) {
        const answer = await post(path, good, { "content-type": wrongly });
        assert.equal(answer.status, 415, `${path} ${wrongly}`);
        decent(answer, `${path} ${wrongly}`);
      }
      const long = JSON.stringify({ ...JSON.parse(good), pad: "x".repeat(65 * 1024) });
      const answer = await post(path, long);
      assert.equal(answer.status, 413);
      decent(answer, path);
      const chunked = await raw(postern, `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`);
      assert.ok([413, 0].includes(chunked.status), `${chunked.status}`);
    });

  test("has changed nothing: the codes are untried, and no attempt has begun", async () => {
    const [record] = [...records(postern).values()].filter((record) => JSON.stringify(record).includes(ceremony.agent.registration_id) && record.kind === "registration");
    assert.doesNotMatch(JSON.stringify(record), /"wrong":[1-9]/);
    await person.open(ceremony.path);
    assert.equal(person.status, 200);
    assert.equal((await poll(postern, ceremony.claim_token)).body.error, "authorization_pending");
  });
});

describe("a code in JSON", () => {
  test("that is a number, not six digits, or of other digits is 400 and no try; leading zeros count (47, edge 66)", async () => {
    const one = await onBehalf(postern);
    const code = await reveal(await atPage(postern, one));
    const wide = [...code].map((digit) => String.fromCodePoint(0xff10 + Number(digit))).join("");
    for (const user_code of [Number(code), 123456, 0, -1, 1.5, null, true, [code], { code }, "", "12345", "1234567", "abcdef", wide, `${code}\n`, `${code}\0`, `\t${code}`, "0x1e24", "+12345", "12e456", code.slice(0, 5), `${code}${code}`]) {
      const got = await complete(postern, one.claim_token, user_code);
      assert.deepEqual([got.status, got.body.error], [400, "invalid_request"], `${JSON.stringify(user_code)} ${got.text}`);
    }
    if (code !== "000000") assert.equal((await complete(postern, one.claim_token, "000000")).body.error, "invalid_user_code");
    assert.equal((await complete(postern, one.claim_token, `${code.slice(0, 3)} ${code.slice(3)}`)).status, 200, "as people read it out");
  });
});

describe("a form of a page", () => {
  const form = { "content-type": "application/x-www-form-urlencoded" };
  test("of any bytes is answered by a page, never by a 5xx, and answers nothing", async () => {
    const cookie = [...person.cookies].map((pair) => pair.join("=")).join("; ");
    const token = csrf(person);
    const BODIES = ["", "&", "=", "&&==&", "%", "%ff=%ff", "csrf", `csrf=${token}`, `csrf=${token}&csrf=${token}`, `csrf=${token}&claim_attempt_token=${ceremony.view}&claim_attempt_token=${ceremony.view}`, `csrf=${token}&claim_attempt_token=%00`, `csrf=${token}&claim_attempt_token=${"x".repeat(60_000)}`, `csrf=${token}&email=${"x".repeat(60_000)}`, `csrf=${token}&email=a%0d%0aBcc%3Ab%40example.com`, `csrf=${token}&${Array.from({ length: 200 }, (_, index) => `f${index}=1`).join("&")}`, `csrf=${token}&login=lgn_x&code=123456`, `csrf=${token}&token=lnk_x`, JSON.stringify({ csrf: token }), "\0".repeat(1000), `csrf=${token}&user_code=%ef%bc%91`, "x".repeat(66_000)];
    for (const path of PEOPLE.filter((path) => path !== "/logout"))
      for (const body of BODIES) {
        const answer = await post(path, body, { ...form, cookie });
        assert.ok(answer.status >= 200 && answer.status < 500, `${answer.status} ${path} ${body.slice(0, 60)}`);
        assert.match(answer.headers["content-type"] ?? "text/html", /^text\/html; charset=utf-8$/, path);
        assert.doesNotMatch(answer.body, /<h1>(Approved|Denied)|class="shown"/);
      }
    await person.open(ceremony.path);
    assert.match(person.html, /name="user_code"/);
  });

  test("with a Cookie header of any kind is a form of nobody's", async () => {
    for (const cookie of ["", ";", "=", "postern_session", "postern_session=", "postern_browser=x; postern_session=y", `postern_session=${"x".repeat(8000)}`, "postern_session=pss_x_y; postern_session=pss_x_z", "a=b; ".repeat(1000), "\xff=\xff"])
      for (const path of PEOPLE) {
        const { status } = await post(path, `claim_attempt_token=${ceremony.view}&csrf=x`, { ...form, cookie });
        assert.equal(status, 403, `${path} ${cookie.slice(0, 40)}`);
      }
  });
});

test("line breaks in an address reach no mail and no header, at any path that takes one (edge 154)", async () => {
  const mails = async () => (await (await fetch(`${postern.issuer}/dev/outbox`)).json()).length;
  const before = await mails();
  for (const email of ["ada@example.com\r\nBcc: eve@example.com", "ada\r\n@example.com", "ada@example.com\nSubject: x", "ada@exam\rple.com", "\u2028ada@example.com", "ada%0d%0aBcc:eve@example.com\r\n"]) {
    decent(await post("/agent/auth/claim", JSON.stringify({ claim_token: older.claim_token, email })), "claim");
    decent(await post("/agent/auth", JSON.stringify({ type: "identity_assertion", assertion_type: "verified_email", assertion: email, requested_credential_type: "api_key" })), "register");
    decent(await post("/agent/auth", JSON.stringify({ type: "anonymous", requested_credential_type: "api_key", email })), "contact");
    const browser = await new Browser(postern).open("/login");
    await browser.submit("/login", { email });
    assert.equal(browser.status, 400);
  }
  assert.equal(await mails(), before);
});

test("after all of it the ceremony comes to its end, and nothing has failed", async () => {
  await person.open(ceremony.path);
  await type(person, ceremony.user_code);
  assert.equal((await poll(postern, ceremony.claim_token)).status, 200);
  const next = await asking(postern, someone());
  await type(await atPage(postern, next), next.user_code);
  assert.equal((await poll(postern, next.claim_token)).status, 200);
  assert.deepEqual(postern.lines().filter(({ event, status }) => event !== "request" || status >= 500), []);
});
