// Steps of a ceremony at the same moment, in two isolates, and over a restart and a change of the secret.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { call, exchange, register, until } from "./support/agent.mjs";
import { again, asking, atPage, claimed, csrf, nothingFor, onBehalf, operator, reveal, someone, type, typed } from "./support/ceremony.mjs";
import { CLAIM, complete, poll, start } from "./support/claim.mjs";
import { Browser } from "./support/person.mjs";
import { deploy, ROUNDS } from "./support/postern.mjs";
import { voucher } from "./support/voucher.mjs";

const [OLD, NEW] = ["the-old-secret-of-the-tests-0123456789abcdef", "the-new-secret-of-the-tests-0123456789abcdef"];
const TYPE = "/agent/identity/claim/complete";
const title = ({ html }) => /<h1>(.*?)<\/h1>/s.exec(html)?.[1];

describe("at the same moment", () => {
  let postern, provider;
  before(async () => {
    provider = await voucher();
    postern = await deploy({ vars: { TRUSTED_PROVIDERS: JSON.stringify([provider.entry]), MAILS_PER_HOUR: "100000" } });
  });
  after(async () => {
    await postern.stop();
    await provider.stop();
  });

  /** A hundred browsers with the cookies of one. */
  const twins = (person, count = 100) => Array.from({ length: count }, () => Object.assign(new Browser(postern, { ip: person.ip }), { cookies: new Map(person.cookies) }));

  test("a hundred right codes typed approve once", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await asking(postern);
      const person = await atPage(postern, ceremony);
      const fields = { csrf: csrf(person), claim_attempt_token: ceremony.view, user_code: ceremony.user_code };
      const all = await Promise.all(twins(person).map((twin) => twin.post(TYPE, fields)));
      assert.equal(all.filter((twin) => title(twin) === "Approved").length, 1);
      assert.ok(all.every(({ status }) => status === 200));
      assert.equal((await poll(postern, ceremony.claim_token)).status, 200);
    }
  });

  test("an approval and a new attempt for somebody else come to one of them: the agent is nobody's but who approved", async () => {
    for (let round = 0; round < ROUNDS * 4; round += 1) {
      const ceremony = await asking(postern);
      const person = await atPage(postern, ceremony);
      const other = someone("other");
      const [began] = await Promise.all([start(postern, { claim_token: ceremony.claim_token, login_hint: other }), type(person, ceremony.user_code)]);
      assert.equal((title(person) === "Approved") + (began.status === 200), 1, `${title(person)} ${began.text}`);
      assert.equal((await poll(postern, ceremony.claim_token)).status, began.status === 200 ? 400 : 200);
    }
  });

  test("an approval and a revocation leave nothing that works", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await asking(postern);
      const person = await atPage(postern, ceremony);
      await Promise.all([operator(postern, "registrations/revoke", { registration_id: ceremony.agent.registration_id }), type(person, ceremony.user_code)]);
      await nothingFor(postern, ceremony.claim_token, ceremony.user_code);
    }
  });

  test("a hundred providers' words for two people claim for one of them, once (C18)", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { claim_token, registration_id } = await register(postern);
      const emails = [someone(), someone()];
      const words = await Promise.all(Array.from({ length: 100 }, (_, index) => provider.vouch(postern.issuer, `race-${round}-${index % 2}`, emails[index % 2])));
      const answers = await Promise.all(words.map((assertion) => start(postern, { type: "identity_assertion", claim_token, assertion })));
      const good = answers.filter(({ body }) => body.status === "claimed");
      assert.equal(good.length, 1, answers.map(({ body }) => body.error ?? body.status).join());
      assert.ok(answers.every(({ status }) => [200, 409].includes(status)));
      const { access_token } = await exchange(postern, good[0].body.identity_assertion);
      assert.equal(await call(postern.issuer, access_token), 200);
      const people = await Promise.all(emails.map((email) => new Browser(postern).signIn(email, "/account")));
      const owners = async () => (await Promise.all(people.map((person) => person.open("/account")))).filter(({ html }) => html.includes(registration_id)).length;
      await until(async () => (await owners()) > 0);
      assert.equal(await owners(), 1);
    }
  });

  test("a code typed and a provider's word never both claim", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const ceremony = await asking(postern);
      const person = await atPage(postern, ceremony);
      const word = await provider.vouch(postern.issuer, `both-${round}`, someone());
      const [vouchedFor] = await Promise.all([start(postern, { type: "identity_assertion", claim_token: ceremony.claim_token, assertion: word }), type(person, ceremony.user_code)]);
      assert.equal(title(person), "Approved");
      assert.equal(vouchedFor.status, 409, vouchedFor.text);
      assert.ok(["ceremony_in_flight", "claimed_or_in_flight"].includes(vouchedFor.body.error));
    }
  });
});

test("in two isolates a ceremony is one: begun in one, answered in the other, and what was before it dies in both", async () => {
  const postern = await deploy({ isolates: 2 });
  try {
    const second = await postern.second();
    const ceremony = await asking(postern);
    const early = await exchange(postern, ceremony.agent.identity_assertion);
    for (const base of [postern.issuer, second]) assert.equal(await call(base, early.access_token), 200);
    const person = await atPage(postern, ceremony);
    person.base = second;
    await person.open(ceremony.path);
    await type(person, ceremony.user_code);
    assert.equal(title(person), "Approved");
    const bodies = [];
    for (const base of [second, postern.issuer, second]) bodies.push(await (await fetch(`${base}/oauth2/token`, { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: new URLSearchParams({ grant_type: CLAIM, claim_token: ceremony.claim_token }).toString() })).text());
    assert.equal(new Set(bodies).size, 1);
    for (const base of [postern.issuer, second]) {
      await until(async () => (await call(base, early.access_token)) === 401);
      assert.equal(await call(base, JSON.parse(bodies[0]).access_token), 200);
    }
  } finally {
    await postern.stop();
  }
});

describe("over a restart", () => {
  const half = async (postern) => {
    const one = await asking(postern);
    const typist = await atPage(postern, one);
    const two = await onBehalf(postern);
    const reader = await atPage(postern, two);
    const code = await reveal(reader);
    const confirmed = await typed(postern);
    const delivered = await claimed(postern);
    return { one, typist, two, code, confirmed, delivered };
  };

  test("and a change of the secret, with the old one at hand, ceremonies go on where they were", async () => {
    const postern = await deploy({ vars: { POSTERN_SECRET: OLD } });
    try {
      const { one, typist, two, code, confirmed, delivered } = await half(postern);
      await postern.restart({ POSTERN_SECRET: NEW, POSTERN_SECRET_PREVIOUS: OLD });
      await type(typist, one.user_code);
      assert.equal(title(typist), "Approved");
      for (const { claim_token } of [one, confirmed]) assert.equal((await poll(postern, claim_token)).status, 200);
      const done = await complete(postern, two.claim_token, code);
      assert.equal(done.status, 200, done.text);
      assert.equal((await poll(postern, delivered.claim_token)).text, delivered.got.text);
      await exchange(postern, delivered.got.body.identity_assertion);
      await again(postern, (await register(postern)).claim_token, someone());
    } finally {
      await postern.stop();
    }
  });

  test("without the old secret nothing of before counts, and nothing breaks", async () => {
    const postern = await deploy({ vars: { POSTERN_SECRET: OLD } });
    try {
      const { one, typist, two, code, delivered } = await half(postern);
      await postern.restart({ POSTERN_SECRET: NEW });
      await typist.post(TYPE, { csrf: csrf(typist), claim_attempt_token: one.view, user_code: one.user_code });
      assert.equal(typist.status, 403);
      assert.notEqual((await new Browser(postern).open(one.path)).status, 200);
      for (const { claim_token } of [one, two, delivered]) {
        assert.equal((await poll(postern, claim_token)).body.error, "expired_token");
        assert.equal((await start(postern, { claim_token, login_hint: someone() })).status, 401);
      }
      assert.equal((await complete(postern, two.claim_token, code)).body.error, "invalid_claim");
    } finally {
      await postern.stop();
    }
  });
});
