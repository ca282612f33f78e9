// The soak test in short: a little of everything, while workerd is asked to end and then killed. `npm run soak` is the long form.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { stopAll, storage } from "../../bench/servers.mjs";
import { text } from "../../bench/soak/report.mjs";
import { soak } from "../../bench/soak/run.mjs";

const folder = mkdtempSync(join(tmpdir(), "postern-soak-"));
const place = storage();
after(() => {
  stopAll();
  for (const one of [folder, place.folder]) rmSync(one, { recursive: true, force: true });
});

test("no registration, rotation or revocation is lost or doubled while workerd is ended and killed under traffic", async () => {
  // However slow the machine is: what is begun has to end well.
  const report = await soak({ seconds: 20, rate: 10, seed: 1, restarts: 2, first: 80, sustained: 0, folder, place });
  assert.equal(report.failed, 0, text(report));
  assert.ok(report.ledger.stored === report.ledger.agents && report.ledger.agents > 20, "there was something to lose");
  assert.ok(report.ledger.families > 20 && report.operations["client refresh"] > 5, "there were clients that went on");
  assert.deepEqual(report.ends.filter(({ down_ms }) => down_ms).map(({ signal }) => signal), ["SIGTERM", "SIGTERM", "SIGKILL", "SIGKILL"]);
});
