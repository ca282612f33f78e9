// What the first reference of auth.md v0.1 got wrong, tried on us: every attack must fail.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { call } from "./support/agent.mjs";
import { crowd, me, reading, signedIn, typing } from "./support/consent.mjs";
import { complete, page, poll, start } from "./support/claim.mjs";
import { Browser, codeOn } from "./support/person.mjs";
import { ROUNDS, deploy } from "./support/postern.mjs";
import { bytes, recordsOf } from "./support/storage.mjs";
import { byEmail, challenge, claim, finish, links, mailed, shown, wrong } from "./support/v01.mjs";

let postern;
before(async () => (postern = await deploy({ vars: { MAILS_PER_ADDRESS_PER_HOUR: "1000" } })));
after(() => postern.stop());

const error = ({ status, body }) => [status, body.error];

describe("account takeover by a swap of addresses (a.19, 1)", () => {
  test("a code that was shown for the attacker's address completes nothing once the victim's is named", async () => {
    const victim = await signedIn(postern, "swap-victim@example.com");
    const { agent, token, otp, link } = await shown(postern, "swap-attacker@example.com");
    assert.equal((await claim(postern, token, "swap-victim@example.com")).status, 200);
    assert.deepEqual(error(await finish(postern, token, otp)), [400, "otp_not_generated"]);
    assert.deepEqual(error(await challenge(postern, link)), [410, "claim_superseded"]);
    const attacker = await new Browser(postern).open(`/claim?claim_attempt_token=${link}`);
    assert.equal(attacker.status, 404);
    assert.equal((await me(postern, agent.credential)).body.claimed, false);
    await victim.open("/account");
    assert.ok(!victim.html.includes(agent.registration_id));
    // Back to the first address: neither the old code nor the old link is alive again.
    assert.equal((await claim(postern, token, "swap-attacker@example.com")).status, 200);
    assert.deepEqual(error(await finish(postern, token, otp)), [400, "otp_not_generated"]);
    assert.deepEqual(error(await challenge(postern, link)), [410, "claim_superseded"]);
  });

  test("the code binds the agent to whoever was shown it, not to whoever is named last", async () => {
    const victim = await signedIn(postern, "swap-late@example.com");
    const { agent, token, otp } = await shown(postern, "swap-early@example.com");
    const [done] = await Promise.all([finish(postern, token, otp), claim(postern, token, "swap-late@example.com")]);
    await victim.open("/account");
    assert.ok(!victim.html.includes(agent.registration_id), "whichever was first");
    if (done.status === 200) {
      const owner = await signedIn(postern, "swap-early@example.com");
      await owner.open("/account");
      assert.ok(owner.html.includes(agent.registration_id));
    } else assert.deepEqual(error(done), [400, "otp_not_generated"]);
  });

  test("the same swap at the newer paths, with the code that is read and with the code that is typed", async () => {
    const victim = await signedIn(postern, "swap-newer@example.com");
    const read = await typing(postern, "swap-newer-attacker@example.com");
    const relay = (hint) => start(postern, { type: "service_auth", claim_token: read.token, login_hint: hint });
    const own = await relay("swap-newer-attacker@example.com");
    await read.person.open(page(own.body.attempt.verification_uri));
    await read.person.submit("/claim/code");
    const code = codeOn(read.person.html);
    const swapped = await relay("swap-newer@example.com");
    assert.equal(swapped.status, 200);
    assert.deepEqual(error(await complete(postern, read.token, code)), [409, "claim_not_confirmed"]);
    await read.person.open(page(swapped.body.attempt.verification_uri));
    assert.equal(read.person.status, 403, "the victim's page is not the attacker's");
    assert.deepEqual(error(await complete(postern, read.token, read.user_code)), [409, "claim_not_confirmed"]);
    assert.equal((await poll(postern, read.token)).body.error, "authorization_pending");
    await victim.open("/account");
    assert.ok(!victim.html.includes(read.id));
  });

  test("a registration in somebody's name cannot be turned to another", async () => {
    const { body } = await byEmail(postern, "swap-fixed@example.com");
    const [link] = await links(postern, "swap-fixed@example.com");
    const { challenge: otp } = (await challenge(postern, link)).body;
    assert.deepEqual(error(await claim(postern, body.claim_token, "swap-newer@example.com")), [409, "claimed_or_in_flight"]);
    assert.equal((await finish(postern, body.claim_token, otp)).status, 200);
  });
});

test("a claimed agent's key does not die of another /claim (a.19, 4; edge 58)", async () => {
  const { token, otp } = await shown(postern, "again@example.com");
  const { credential } = (await finish(postern, token, otp)).body;
  for (const email of ["again@example.com", "somebody-else@example.com"]) assert.deepEqual(error(await claim(postern, token, email)), [409, "claimed_or_in_flight"]);
  assert.equal(await call(postern.issuer, credential), 200);
});

describe("guessing the code (a.19, 8)", () => {
  test("ends with the fifth wrong one, and the right one then fails; a new attempt begins anew", async () => {
    const { token, otp } = await shown(postern, "guess@example.com");
    for (let by = 1; by <= 5; by += 1) assert.deepEqual(error(await finish(postern, token, wrong(otp, by))), [401, "otp_invalid"]);
    for (const code of [otp, wrong(otp), otp]) assert.deepEqual(error(await finish(postern, token, code)), [410, "otp_expired"]);
    assert.equal((await claim(postern, token, "guess@example.com")).status, 200);
    const [link] = await links(postern, "guess@example.com");
    const { challenge: next } = (await challenge(postern, link)).body;
    assert.equal((await finish(postern, token, next)).status, 200);
  });

  test("ends for good with the tenth wrong one of a claim, however many attempts there are", async () => {
    const { agent, token } = await shown(postern, "guess-on@example.com");
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const [link] = await links(postern, "guess-on@example.com");
      const { challenge: otp } = (await challenge(postern, link)).body;
      for (let by = 1; by <= 5; by += 1) assert.deepEqual(error(await finish(postern, token, wrong(otp, by))), [401, "otp_invalid"]);
      assert.equal((await finish(postern, token, otp)).body.error, "otp_expired");
      const again = await claim(postern, token, "guess-on@example.com");
      if (attempt === 0) assert.equal(again.status, 200, again.text);
      else {
        assert.deepEqual(error(again), [429, "rate_limited"]);
        assert.equal(again.body.retry_after, Number(again.headers.get("retry-after")));
      }
    }
    assert.equal((await me(postern, agent.credential)).body.claimed, false);
  });

  test("is counted one by one, also if a hundred come at once", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const email = `guess-${round}@example.com`;
      const { token, otp } = await shown(postern, email);
      const answers = await crowd(100, (by) => finish(postern, token, wrong(otp, by + 1)));
      assert.equal(answers.filter(({ body }) => body.error === "otp_invalid").length, 5);
      assert.equal(answers.filter(({ body }) => body.error === "otp_expired").length, 95);
      assert.equal((await finish(postern, token, otp)).body.error, "otp_expired");
      const typed = await reading(postern, email);
      const relayed = await crowd(100, (by) => complete(postern, typed.token, wrong(typed.code, by + 1)));
      assert.deepEqual(["invalid_user_code", "user_code_expired"].map((code) => relayed.filter(({ body }) => body.error === code).length), [5, 95]);
    }
  });
});

test("what is stored of a code cannot be found by trying all codes (a.19, 9)", async () => {
  const email = "digest@example.com";
  const relay = await shown(postern, email);
  const typed = await typing(postern, email);
  const stored = bytes(postern);
  const records = recordsOf(postern, "registration").map(({ state }) => state ?? {});
  const values = [];
  JSON.stringify(records, (_, value) => (typeof value === "object" ? value : (values.push(String(value)), value)));
  assert.ok(values.length > 50, "this looks in the right place");
  const attempt = decodeURIComponent(typed.verification_uri).split("claim_attempt_token=")[1];
  for (const [code, id, token, page] of [[relay.otp, relay.agent.registration_id, relay.token, relay.link], [typed.user_code, typed.id, typed.token, attempt]]) {
    assert.ok(!values.includes(code) && !values.includes(String(Number(code))), "not as it is");
    const salts = ["", id, id.slice(4), token, page, email];
    for (const salt of salts)
      for (const join of ["", ":", "/", "|", "."])
        for (const text of [salt + join + code, code + join + salt])
          for (const hash of ["sha256", "sha1", "sha512", "md5"]) {
            const digest = createHash(hash).update(text).digest();
            for (const encoding of ["hex", "base64", "base64url"]) assert.ok(!stored.includes(digest.toString(encoding).replace(/=+$/, "")), `${hash} of ${text}`);
          }
  }
  const digests = new Set();
  for (let round = 0; round < 3; round += 1) {
    const [link] = await links(postern, email);
    await challenge(postern, link);
    for (const found of JSON.stringify(recordsOf(postern, "registration")).matchAll(/"mac":"([^"]+)"/g)) digests.add(found[1]);
  }
  for (const mac of digests) assert.equal(Buffer.from(mac, "base64url").length, 32, "every digest is keyed and whole");
  assert.ok((await mailed(postern, "digest-2@example.com")).link);
});
