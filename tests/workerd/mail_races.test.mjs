// Limits of mail when many ask at one moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, mails } from "./support/person.mjs";
import { ROUNDS, address, deploy } from "./support/postern.mjs";
import { byEmail } from "./support/v01.mjs";

const count = (list, wanted) => list.filter((one) => one === wanted).length;

test("the deployment's mails of an hour are given out exactly, also when two networks race for them by different ways (edge 60, issue 1)", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const postern = await deploy({ vars: { MAILS_PER_HOUR: "7", MAILS_PER_NETWORK_PER_HOUR: "1000" }, persist: false });
    try {
      const [here, there] = [`10.210.${round % 250}.1`, `10.211.${round % 250}.1`];
      const browsers = await Promise.all(Array.from({ length: 50 }, () => new Browser(postern, { ip: here }).open("/login")));
      const asked = browsers.map(async (browser, turn) => (await browser.submit("/login", { email: `here-${turn}@example.com` })).status);
      const registered = browsers.map(async (_, turn) => (await byEmail(postern, `there-${turn}@example.com`, "api_key", { "cf-connecting-ip": there })).status);
      const statuses = await Promise.all([...asked, ...registered]);
      assert.deepEqual([count(statuses, 200), count(statuses, 429)], [7, 93], `round ${round}: ${statuses}`);
      assert.equal((await (await fetch(`${postern.issuer}/dev/outbox`)).json()).length, 7);
      for (const ip of [here, there, address()]) {
        const late = await new Browser(postern, { ip }).open("/login");
        assert.equal((await late.submit("/login", { email: "late@example.com" })).status, 429, ip);
      }
    } finally {
      await postern.stop();
    }
  }
});

test("copies of one registration that is refused give nobody more mail than the limit (edge 60)", async () => {
  const vars = { VOUCHED_REGISTRATIONS_PER_NETWORK_PER_HOUR: "1", MAILS_PER_ADDRESS_PER_HOUR: "3", MAILS_PER_HOUR: "100000" };
  const postern = await deploy({ vars, persist: false });
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const victim = `copied-${round}@example.com`;
      for (let turn = 0; turn < 2; turn += 1) assert.equal((await byEmail(postern, victim)).status, 200);
      // A network whose registrations are used up.
      const from = { "cf-connecting-ip": `10.212.${round % 250}.1` };
      assert.equal((await byEmail(postern, `own-${round}@example.com`, "api_key", from)).status, 200);
      const key = { ...from, "idempotency-key": `copies-of-one-request-${round}` };
      const copies = await Promise.all(Array.from({ length: 30 }, () => byEmail(postern, victim, "api_key", key)));
      assert.deepEqual([...new Set(copies.map(({ status }) => status))], [429]);
      for (let turn = 0; turn < 5; turn += 1) {
        const browser = await new Browser(postern).open("/login");
        assert.equal((await browser.submit("/login", { email: victim })).status, 200);
      }
      assert.equal((await mails(postern, victim)).length, 3, `round ${round}: MAILS_PER_ADDRESS_PER_HOUR is 3`);
    }
  } finally {
    await postern.stop();
  }
});
