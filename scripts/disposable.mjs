// Writes data/disposable-domains.txt from the curated list of the npm package disposable-email-domains-js (CC0).
import { readFileSync, writeFileSync } from "node:fs";
import { disposableEmailBlocklist } from "disposable-email-domains-js";

const file = new URL("../data/disposable-domains.txt", import.meta.url);
const domains = new Set(disposableEmailBlocklist().map((domain) => domain.trim().toLowerCase()));
const list = [...domains].filter((domain) => /^[a-z0-9.-]+$/.test(domain)).sort((a, b) => (a < b ? -1 : 1)).join("\n");
if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== list) {
    console.error("data/disposable-domains.txt differs from the package: run node scripts/disposable.mjs");
    process.exit(1);
  }
} else {
  writeFileSync(file, list);
}
