// The device flow: polls (edge case 95), typed codes (96), the link with the code in it (97), and whose yes counts (98).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, sleep } from "./support/agent.mjs";
import { ok, read, refused } from "./support/answers.mjs";
import { CLIENTS, DEVICE, PATH, answer, atRequest, begin, poll, type } from "./support/device.mjs";
import { Browser, forms } from "./support/person.mjs";
import { address, deploy, ROUNDS } from "./support/postern.mjs";
import { bytes, older, recordsOf, rewrite } from "./support/storage.mjs";

const VARS = { CLIENTS, MAILS_PER_ADDRESS_PER_HOUR: "100000", MAILS_PER_HOUR: "1000000" };
let postern, bases;
before(async () => {
  postern = await deploy({ vars: VARS, isolates: 2 });
  bases = [postern.issuer, await postern.second()];
});
after(() => postern.stop());

let people = 0;
const somebody = () => new Browser(postern).signIn(`viewer.${(people += 1)}@example.com`);
const fails = async (polled, error) => {
  const { status, body, text } = await polled;
  assert.deepEqual([status, body?.error], [400, error], text);
};
/** A browser with the same cookies. */
const twin = (person) => Object.assign(new Browser(postern, { ip: person.ip }), { cookies: new Map(person.cookies), html: person.html });

describe("polls (95)", () => {
  test("wait longer each time they come too soon, and bring a token that works, once", async () => {
    const device = await begin(postern);
    assert.deepEqual([device.interval, device.expires_in], [5, 600]);
    await fails(poll(device, bases[0]), "authorization_pending");
    await fails(poll(device, bases[1]), "slow_down");
    await sleep(5_300);
    await fails(poll(device, bases[0]), "slow_down");
    await sleep(15_300);
    await fails(poll(device, bases[1]), "authorization_pending");
    await answer(await somebody(), device);
    const got = await poll(device, bases[1]);
    assert.equal(got.status, 200, got.text);
    assert.equal(got.headers.get("cache-control"), "no-store");
    assert.equal(await call(bases[0], got.body.access_token), 200);
    for (const base of [...bases, ...bases]) await fails(poll(device, base), "invalid_grant");
    assert.equal(await call(bases[1], got.body.access_token), 200, "a dead code ends nothing");
    const { access_token } = await ok(postern.form("/oauth2/token", { grant_type: "refresh_token", refresh_token: got.body.refresh_token, client_id: "television" }));
    assert.equal(await call(bases[0], access_token), 200);
  });

  test("of another client bring nothing and use nothing up", async () => {
    const device = await begin(postern);
    const thief = { ...device, client_id: "projector" };
    await fails(poll(thief, bases[0]), "invalid_grant");
    await fails(poll(device, bases[0]), "authorization_pending");
    await answer(await somebody(), device);
    for (const base of bases) await fails(poll(thief, base), "invalid_grant");
    await fails(poll(device, bases[0], { resource: "https://foreign.example.com" }), "invalid_target");
    await fails(poll(device, bases[0], { resource: `${postern.issuer}/api/v1` }), "invalid_target");
    await refused(postern.form("/oauth2/token", { grant_type: DEVICE, device_code: device.device_code }), 401, "invalid_client");
    assert.equal((await poll(device, bases[0])).status, 200);
  });

  test("are told of a no, and of codes that are none", async () => {
    const device = await begin(postern);
    await answer(await somebody(), device, "deny");
    for (const base of bases) await fails(poll(device, base), "access_denied");
    for (const device_code of ["x", device.user_code, `${device.device_code}x`, device.device_code.replace("pdc_", "pac_")]) {
      await fails(poll({ ...device, device_code }, bases[0]), "invalid_grant");
    }
  });

  test("a hundred at once, at two workers: one wins, and what it won lives", async () => {
    let person = await somebody();
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round % 20 === 19) person = await somebody();
      const device = await begin(postern);
      await answer(person, device);
      const all = await Promise.all(Array.from({ length: 100 }, (_, index) => poll(device, bases[index % 2])));
      const won = all.filter(({ status }) => status === 200);
      assert.equal(won.length, 1, all.map(({ status, body }) => body?.error ?? status).join());
      assert.ok(all.every(({ body }) => !body.error || ["slow_down", "invalid_grant"].includes(body.error)), all.map(({ text }) => text).join());
      assert.equal(await call(bases[round % 2], won[0].body.access_token), 200);
      await ok(postern.form("/oauth2/token", { grant_type: "refresh_token", refresh_token: won[0].body.refresh_token, client_id: "television" }));
      await fails(poll(device, bases[1]), "invalid_grant");
    }
  });

  test("a yes and a no at once come to one of them", async () => {
    const person = await somebody();
    for (let round = 0; round < ROUNDS; round += 1) {
      const device = await begin(postern);
      await atRequest(person, device);
      const said = ["allow", "deny", "allow", "deny", "allow", "deny"];
      const all = await Promise.all(said.map((answer) => twin(person).submit("/device/answer", { answer })));
      const titles = all.map(({ html }) => /<h1>(.*?)<\/h1>/s.exec(html)[1]);
      const [yes, no] = ["Approved", "Denied"].map((title) => titles.filter((one) => one === title).length);
      assert.ok(yes > 0 ? no === 0 : no === 1, titles.join());
      const polled = await poll(device, bases[0]);
      assert.equal(polled.body.error ?? "ok", yes > 0 ? "ok" : "access_denied", titles.join());
    }
  });
});

describe("typed codes (96)", () => {
  test("are read in any case, with dashes and spaces or none; nothing else is a code", async () => {
    const person = await somebody();
    for (const change of [(code) => code.toLowerCase(), (code) => code.replace("-", ""), (code) => ` ${code.replace("-", " ")} `, (code) => code.replace("-", "–"), (code) => [...code].join(" ")]) {
      const device = await begin(postern);
      assert.match(device.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
      await type(person, change(device.user_code));
      assert.ok(person.html.includes(device.user_code) && forms(person.html)["/device/answer"], person.html);
    }
    for (const wrong of ["ABCD-EFGH", "0BCD-FGHJ", "BCDF-GHJ", "BCDF-GHJKL", "ВСDF-GHJK"]) {
      await type(person, wrong);
      assert.equal(person.status, 400, wrong);
      assert.match(person.html, /eight letters/);
    }
  });

  test("that are wrong, used or denied have one face", async () => {
    const person = await somebody();
    const face = (code) => person.html.replaceAll(code, "CODE").replace(/nonce="[^"]*"/g, "");
    await type(person, "BBBB-BBBB");
    const [status, wrong] = [person.status, face("BBBB-BBBB")];
    assert.equal(status, 404);
    for (const said of ["allow", "deny"]) {
      const device = await begin(postern);
      await answer(person, device, said);
      await type(person, device.user_code);
      assert.deepEqual([person.status, face(device.user_code)], [status, wrong]);
    }
  });

  test("ten wrong ones an hour of one account, however many at once; right ones do not count", async () => {
    const person = await somebody();
    for (let turn = 0; turn < 12; turn += 1) await atRequest(person, await begin(postern));
    await person.open("/device");
    const all = await Promise.all(Array.from({ length: 100 }, (_, index) => Object.assign(twin(person), { ip: address() }).submit("/device", { user_code: `BBBB-BB${"BCDFGHJKLM"[Math.floor(index / 10)]}${"BCDFGHJKLM"[index % 10]}` })));
    assert.equal(all.filter(({ status }) => status === 404).length, 10);
    assert.equal(all.filter(({ status }) => status === 429).length, 90);
    const device = await begin(postern);
    await person.open("/device");
    await person.submit("/device", { user_code: device.user_code });
    assert.equal(person.status, 429, "not even the right one");
    assert.ok(Number(person.headers.get("retry-after")) > 3000);
    await answer(await somebody(), device);
  });

  test("thirty of one address, whoever they are", async () => {
    const ip = address();
    for (let turn = 0; turn < 3; turn += 1) {
      const person = await new Browser(postern, { ip }).signIn(`guess.${turn}@example.com`);
      for (let by = 0; by < 10; by += 1) {
        await type(person, "BBBB-BBBB");
        assert.equal(person.status, 404);
      }
    }
    const last = await new Browser(postern, { ip }).signIn("guess.last@example.com");
    await type(last, "BBBB-BBBB");
    assert.equal(last.status, 429);
  });
});

describe("the link with the code in it (97)", () => {
  test("fills the field, and approves nothing, however often it is opened or sent from elsewhere", async () => {
    const person = await somebody();
    const device = await begin(postern);
    const path = device.verification_uri_complete.replace(postern.issuer, "");
    for (let turn = 0; turn < 5; turn += 1) await person.open(path);
    assert.equal(person.status, 200);
    assert.deepEqual(Object.keys(forms(person.html)), ["/device"]);
    assert.ok(person.html.includes(`value="${device.user_code}"`));
    await person.send(path, { method: "HEAD" });
    await person.open(`${path}&answer=allow`);
    const csrf = forms(person.html)["/device"][0].csrf;
    for (const headers of [{ "sec-fetch-site": "cross-site", origin: "https://evil.example" }, { origin: "https://evil.example" }, { "sec-fetch-site": "same-site" }]) {
      await person.post("/device", { user_code: device.user_code, csrf }, headers);
      assert.equal(person.status, 403);
    }
    for (const fields of [{ user_code: device.user_code }, { user_code: device.user_code, csrf: "x" }]) assert.equal((await person.post("/device", fields)).status, 403);
    await person.open(path);
    await person.submit("/device");
    assert.ok(forms(person.html)["/device/answer"], "the code was looked up, and nothing more");
    await fails(poll(device, bases[0]), "authorization_pending");
  });

  test("leads nobody anywhere who has not signed in", async () => {
    const device = await begin(postern);
    const stranger = await new Browser(postern).send(device.verification_uri_complete);
    assert.equal(stranger.status, 303);
    assert.equal(stranger.headers.get("location"), `/login?max_age=300&return_to=%2Fdevice%3Fuser%5Fcode%3D${device.user_code.replace("-", "%2D")}`);
    await stranger.open(stranger.headers.get("location"));
    assert.doesNotMatch(stranger.html, /Television/);
  });
});

describe("whose yes counts (98)", () => {
  test("only that of who was shown the page, in that browser", async () => {
    const device = await begin(postern);
    const [ada, eve] = [await atRequest(await somebody(), device), await atRequest(await somebody(), device)];
    const [hers, his] = [ada, eve].map(({ html }) => forms(html)["/device/answer"][0]);
    for (const fields of [his, { ...his, csrf: hers.csrf }, { ...hers, seal: his.seal }, { ...hers, seal: "" }, { csrf: hers.csrf, device: hers.device }]) {
      await ada.post("/device/answer", { ...fields, answer: "allow" });
      assert.ok([403, 404].includes(ada.status), ada.html);
    }
    await ada.post("/device/answer", { ...hers, answer: "allow" }, { origin: "https://evil.example", "sec-fetch-site": "cross-site" });
    assert.equal(ada.status, 403);
    await fails(poll(device, bases[0]), "authorization_pending");
    await ada.post("/device/answer", { ...hers, answer: "allow" });
    assert.match(ada.html, /<h1>Approved/);
    await eve.post("/device/answer", { ...his, answer: "deny" });
    assert.equal(eve.status, 404);
    assert.equal((await poll(device, bases[0])).status, 200);
  });

  test("only after a sign-in of the last five minutes; and time runs out for codes", async () => {
    const own = await deploy({ vars: VARS });
    try {
      const person = await new Browser(own).signIn("late@example.com");
      const device = await begin(own);
      await atRequest(person, device);
      const shown = forms(person.html)["/device/answer"][0];
      await own.restart({}, () => rewrite(own, "session", older(301_000)));
      await person.post("/device/answer", { ...shown, answer: "allow" });
      assert.deepEqual([person.status, person.headers.get("location")], [303, "/login?max_age=300&return_to=%2Fdevice"]);
      await fails(poll(device, own.issuer), "authorization_pending");
      await person.open("/device");
      assert.match(person.html, /Confirm that it is you/);
      await own.restart({}, () => rewrite(own, "device", older(660_000)));
      await fails(poll(device, own.issuer), "expired_token");
      await person.signIn("late@example.com", "/device");
      await type(person, device.user_code);
      assert.equal(person.status, 404);
    } finally {
      await own.stop();
    }
  });
});

describe("a device", () => {
  test("asks in vain if nobody knows it, or it did not register for this", async () => {
    await refused(postern.form(PATH, { client_id: "nobody" }), 401, "invalid_client");
    await refused(postern.form(PATH, {}), 401, "invalid_client");
    await refused(postern.form(PATH, { client_id: "television", resource: "https://foreign.example.com" }), 400, "invalid_target");
    await refused(postern.form(PATH, { client_id: "television", scope: "files.read" }), 400, "invalid_scope");
    const { client_id } = await read(postern.json("/oauth2/register", { redirect_uris: ["https://app.example.com/cb"], token_endpoint_auth_method: "none" })).then(({ body }) => body);
    await refused(postern.form(PATH, { client_id }), 400, "unauthorized_client");
  });

  test("leaves neither code at rest or in the log", async () => {
    const device = await begin(postern);
    const person = await somebody();
    await person.open(device.verification_uri_complete);
    await answer(person, device);
    const { body } = await poll(device, bases[0]);
    const [kept, said] = [bytes(postern), JSON.stringify(postern.logs)];
    for (const secret of [device.user_code, device.user_code.replace("-", ""), device.device_code, device.device_code.split("_")[2].slice(0, 43), body.access_token, body.refresh_token]) {
      assert.ok(!kept.includes(secret) && !said.includes(secret), secret);
    }
    assert.ok(recordsOf(postern, "device").length > 0);
  });
});
