// What the README says a deployment costs is what was counted and measured.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isRight } from "../../bench/cost.mjs";

test("the README's cost is that of the counts: node bench/cost.mjs writes it", () => assert.ok(isRight()));
