// What judges the soak test's families of refresh tokens: nothing wrong is found in a deployment that keeps the rule, and every fault of one
// that does not.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { mock, test } from "node:test";
import { Failed, client } from "../../bench/soak/client.mjs";
import { families } from "../../bench/soak/families.mjs";
import { judges } from "../../bench/soak/judges.mjs";
import { Ledger } from "../../bench/soak/ledger.mjs";
import { random, weighted } from "../../bench/soak/random.mjs";
import { tally as counting } from "../../bench/soak/tally.mjs";
import { compare, verify } from "../../bench/soak/verify.mjs";
import { standIn } from "./support/families.mjs";

const OPERATIONS = 600;
/** Between two operations, so that the grace of most tokens is over before the end. */
const LATER = 1000;

/** The operations of families against a stand-in with this fault, and the look at everything. Gives what was counted. */
async function judged(fault) {
  const [server, chance] = [await standIn(fault), random(1)];
  const tally = counting(server);
  const ledger = new Ledger(chance);
  const { send, close } = client(server, tally);
  const context = { send, ledger, tally, chance };
  ledger.people.push(...["anna", "ben", "cleo"].map((cookie) => ({ cookie, families: 0 })));
  const { mix } = families(context, judges(context));
  const choose = weighted(mix.map((operation) => [operation, operation[2]]));
  const now = performance.now.bind(performance);
  let later = 0;
  const clock = mock.method(performance, "now", () => now() + later);
  try {
    for (let index = 0; index < OPERATIONS; index += 1) {
      const [title, work] = choose(chance);
      await work().then(
        (done) => done && tally.did(title),
        (error) => assert.ok(error instanceof Failed, error),
      );
      later += LATER;
    }
    await verify(context, () => {});
    return { tally, ledger };
  } finally {
    clock.mock.restore();
    close();
    server.close();
  }
}

test("a deployment that keeps the refresh rule has nothing lost, doubled or brought back, whichever answers are lost", async () => {
  const { tally, ledger } = await judged(null);
  assert.deepEqual(tally.failures, {});
  const { interrupted, operations } = tally;
  assert.ok(interrupted > 20 && Object.keys(operations).length === 5 && ledger.families.some(({ ended }) => ended === null), JSON.stringify({ interrupted, operations }));
});

for (const [fault, kind, what] of [
  ["doubles", "doubled", /^client refresh/],
  ["forgets", "lost", /client refresh/],
  ["knows no grace", "lost", /^client refresh/],
  ["ends siblings", "lost", /client refresh|in the end: token/],
  ["revives", "wrong status", /^use an ended client refresh token/],
  ["takes spent ones for ever", "wrong status", /^client refresh too late/],
]) {
  test(`a deployment that ${fault} is found out`, async () => {
    const { failures } = (await judged(fault)).tally;
    assert.ok(failures[kind]?.first.some((one) => what.test(one.what)), JSON.stringify(failures));
  });
}

test("a family on the disk that nobody was told of is one too many, and one that is not there is lost", () => {
  const folder = mkdtempSync(join(tmpdir(), "postern-soak-families-"));
  try {
    const database = new DatabaseSync(join(folder, `${"0".repeat(64)}.sqlite`));
    database.exec("CREATE TABLE record (body TEXT)");
    const redemptions = [{ family: {} }, { family: {} }, { family: null }];
    database.prepare("INSERT INTO record VALUES (?)").run(JSON.stringify({ kind: "grant", state: { account: "anna", redemptions } }));
    database.close();
    const failures = (told) => {
      const [ledger, tally] = [new Ledger(random(1)), counting({})];
      ledger.families.push(...Array.from({ length: told }, () => ({ id: "anna", ended: null })), { id: "anna", ended: 1 });
      compare({ ledger, tally }, folder);
      return Object.keys(tally.failures);
    };
    assert.deepEqual([1, 2, 3].map(failures), [["doubled"], [], ["lost"]]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
