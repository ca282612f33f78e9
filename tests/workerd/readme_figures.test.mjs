// What the README says of speed and cost is what was measured and counted.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isRight } from "../../bench/readme.mjs";

test("the README's figures are those of the benchmark: node bench/readme.mjs writes them", () => assert.ok(isRight()));
