// How many may register: exact for an address, never more than allowed for the deployment.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { deploy, ROUNDS } from "./support/postern.mjs";

const V01 = { type: "anonymous", requested_credential_type: "api_key" };
/** A number that no other network of this file has. */
let last = 0;
const network4 = () => `198.${18 + ((last += 1) >> 8)}.${last & 255}`;
const network6 = () => `2001:db8:${(last += 1).toString(16)}`;

let postern;
before(async () => (postern = await deploy({ persist: false })));
after(() => {
  const statuses = new Set(postern.lines().map(({ status }) => status ?? 200));
  assert.ok([...statuses].every((status) => status < 500), `${[...statuses]}`);
  assert.ok(!postern.lines().some(({ event }) => event === "limiter_lost"), "the limiter was there all the time");
  return postern.stop();
});

const ask = (address, to = postern, headers = {}, path = "/agent/auth") => to.json(path, V01, { "cf-connecting-ip": address, ...headers });
const all = (addresses, to) => Promise.all(addresses.map((address) => ask(address, to)));
const repeat = (address, times) => Array.from({ length: times }, () => address);
const passed = (answers) => answers.filter(({ status }) => status === 200).length;

async function limited(answer, limit) {
  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  const body = await answer.json();
  assert.deepEqual(Object.keys(body).sort(), ["error", "error_description", "error_uri", "hint", "message", "retry_after"]);
  assert.equal(body.error, "rate_limited");
  const wait = Number(answer.headers.get("retry-after"));
  assert.equal(body.retry_after, wait);
  assert.ok(Number.isInteger(wait) && wait > 3500 && wait <= 3601, `${wait} s`);
  assert.deepEqual(["limit", "remaining", "reset"].map((name) => Number(answer.headers.get(`ratelimit-${name}`))), [limit, 0, wait]);
}

describe("one address", () => {
  test("gets exactly five of a hundred at once", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const answers = await all(repeat(`${network4()}.7`, 100));
      assert.equal(passed(answers), 5);
      for (const answer of answers.filter(({ status }) => status !== 200)) await limited(answer, 5);
    }
  });

  test("gets exactly five of a hundred at once through two isolates", async () => {
    const wide = await deploy({ isolates: 2, persist: false });
    try {
      const base = await wide.second();
      const second = { json: (path, body, headers) => fetch(base + path, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) }) };
      for (let round = 0; round < ROUNDS; round += 1) {
        const address = `${network4()}.7`;
        const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(address, index % 2 ? wide : second)));
        assert.equal(passed(answers), 5);
      }
    } finally {
      await wide.stop();
    }
  });

  test("is told what is left, in either dialect, until nothing is", async () => {
    const address = `${network4()}.7`;
    for (const [index, path] of ["/agent/auth", "/agent/identity", "/api/agent/auth", "/agent/identity", "/agent/auth"].entries()) {
      const answer = await ask(address, postern, {}, path);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get("ratelimit-limit"), "5");
      assert.equal(answer.headers.get("ratelimit-remaining"), String(4 - index));
      const reset = Number(answer.headers.get("ratelimit-reset"));
      assert.ok(reset > 3500 && reset <= 3600);
      assert.equal(answer.headers.get("retry-after"), null);
    }
    for (const path of ["/agent/auth", "/agent/identity"]) await limited(await ask(address, postern, {}, path), 5);
  });

  test("does not use up what its neighbour has, nor anybody else", async () => {
    const network = network4();
    await all(repeat(`${network}.7`, 10));
    for (const other of [`${network}.8`, `${network4()}.7`, `${network6()}::7`]) assert.equal((await ask(other)).headers.get("ratelimit-remaining"), "4", other);
  });

  test("is not charged for what is refused", async () => {
    const headers = { "cf-connecting-ip": `${network4()}.7` };
    const bad = ["{", { type: "robot" }, { ...V01, email: "nobody" }, { ...V01, requested_credential_type: "x" }];
    for (let count = 0; count < 20; count += 1) assert.equal((await postern.json("/agent/auth", bad[count % bad.length], headers)).status, 400);
    assert.equal((await postern.json("/agent/auth", V01, headers)).headers.get("ratelimit-remaining"), "4");
  });

  test("is what CF-Connecting-IP says, whatever else is said", async () => {
    const address = `${network4()}.7`;
    const claim = (count) => ({ "x-forwarded-for": `203.0.113.${count}`, "x-real-ip": `203.0.113.${count}`, "true-client-ip": `203.0.113.${count}`, forwarded: `for=203.0.113.${count}`, "cf-connecting-ipv6": `2001:db8::${count}`, "x-client-ip": `203.0.113.${count}` });
    const answers = await Promise.all(Array.from({ length: 20 }, (_, count) => ask(address, postern, claim(count))));
    assert.equal(passed(answers), 5);
    assert.equal((await ask("203.0.113.1")).headers.get("ratelimit-remaining"), "4", "nobody else was charged");
  });

  test("is one address in every spelling", async () => {
    const network = network4();
    const spellings = [`${network}.7`, `::ffff:${network}.7`, `::FFFF:${network}.7`, ` ${network}.7`];
    for (const [index, spelling] of spellings.entries()) assert.equal((await ask(spelling)).headers.get("ratelimit-remaining"), String(4 - index), spelling);
    const six = network6();
    for (const [index, spelling] of [`${six}::1`, `${six}:0:0:0:0:1`.toUpperCase(), `${six}:0::0001`].entries()) assert.equal((await ask(spelling)).headers.get("ratelimit-remaining"), String(4 - index), spelling);
  });
});

describe("a network", () => {
  let small;
  before(async () => (small = await deploy({ vars: { REGISTRATIONS_PER_NETWORK_PER_HOUR: "2" }, persist: false })));
  after(() => small.stop());

  test("of IPv6 counts as one from /64 on: five of forty hosts pass, and the next /64 is not charged", async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const network = network6();
      const hosts = Array.from({ length: 40 }, (_, host) => `${network}:1:${host.toString(16)}::${host.toString(16)}`);
      assert.equal(passed(await all(hosts)), 5);
      assert.equal((await ask(`${network}:2::1`)).headers.get("ratelimit-remaining"), "4");
    }
  });

  test("of IPv6 has ten times that from /48 on, exactly", async () => {
    const network = network6();
    const hosts = Array.from({ length: 80 }, (_, host) => `${network}:${(host % 20).toString(16)}::${host.toString(16)}`);
    assert.equal(passed(await all(hosts, small)), 20);
    await limited(await ask(`${network}:ffff::1`, small), 20);
    assert.equal((await ask(`${network6()}::1`, small)).status, 200);
  });

  test("of IPv4 has ten times that from /24 on, exactly", async () => {
    const network = network4();
    assert.equal(passed(await all(Array.from({ length: 80 }, (_, host) => `${network}.${host % 20}`), small)), 20);
    await limited(await ask(`${network}.250`, small), 20);
    assert.equal((await ask(`${network4()}.250`, small)).status, 200);
  });

  test("shows the tighter of its two limits", async () => {
    const network = network4();
    assert.equal(passed(await all(Array.from({ length: 18 }, (_, host) => `${network}.${host}`), small)), 18);
    const shown = (answer) => ["limit", "remaining"].map((name) => answer.headers.get(`ratelimit-${name}`));
    assert.deepEqual(shown(await ask(`${network}.0`, small)), ["2", "0"]);
    assert.deepEqual(shown(await ask(`${network}.200`, small)), ["20", "0"]);
    await limited(await ask(`${network}.201`, small), 20);
  });

  test("with a limit of its own has that, and ten times that", async () => {
    const overrides = [{ network: "203.0.113.0/24", per_hour: 3 }, { network: "2001:db8:ffff::/48", per_hour: 7 }, { network: "192.0.2.66", per_hour: 0 }];
    const one = await deploy({ vars: { REGISTRATION_LIMIT_OVERRIDES: JSON.stringify(overrides), REGISTRATIONS_PER_NETWORK_PER_HOUR: "2" }, persist: false });
    try {
      for (const [address, most] of [["203.0.113.5", 3], ["2001:db8:ffff:1::5", 7], ["192.0.2.66", 0], ["192.0.2.67", 2], ["203.0.114.5", 2]]) assert.equal(passed(await all(repeat(address, 20), one)), most, address);
      assert.equal(passed(await all(Array.from({ length: 60 }, (_, host) => `203.0.113.${host % 30}`), one)), 30 - 3);
    } finally {
      await one.stop();
    }
  });
});

test("an address that cannot be read is bound by the deployment's limit alone", async () => {
  const one = await deploy({ vars: { REGISTRATIONS_PER_HOUR: "30" }, persist: false });
  try {
    const answers = await all(repeat("nonsense", 60), one);
    assert.equal(passed(answers), 30);
    await limited(answers.find(({ status }) => status !== 200), 30);
  } finally {
    await one.stop();
  }
});

describe("the deployment", () => {
  for (const [limit, networks, each] of [[1, 50, 1], [20, 60, 1], [60, 40, 3]])
    test(`lets exactly ${limit} in, from ${networks} networks at once`, async () => {
      const one = await deploy({ vars: { REGISTRATIONS_PER_HOUR: String(limit) }, persist: false });
      try {
        const names = Array.from({ length: networks }, network4);
        const answers = await all(names.flatMap((network) => Array.from({ length: each }, (_, host) => `${network}.${host}`)), one);
        assert.equal(passed(answers), limit);
        for (const answer of answers.filter(({ status }) => status !== 200)) await limited(answer, limit);
        assert.equal(passed(await all(names.slice(0, 20).map((network) => `${network}.99`), one)), 0);
      } finally {
        await one.stop();
      }
    });

  test("has room for 240 networks with one agent each when a thousand agents may come", async () => {
    const one = await deploy({ vars: { REGISTRATIONS_PER_HOUR: "1000" }, persist: false });
    try {
      const answers = [];
      for (let batch = 0; batch < 8; batch += 1) answers.push(...(await all(Array.from({ length: 30 }, () => `${network4()}.7`), one)));
      assert.equal(passed(answers), 240);
    } finally {
      await one.stop();
    }
  });

  test("gives one network all it may have, and no more", async () => {
    const one = await deploy({ vars: { REGISTRATIONS_PER_HOUR: "23", REGISTRATIONS_PER_NETWORK_PER_HOUR: "1000" }, persist: false });
    try {
      assert.equal(passed(await all(repeat("203.0.113.5", 80), one)), 23);
      await limited(await ask("203.0.113.6", one), 23);
    } finally {
      await one.stop();
    }
  });
});
