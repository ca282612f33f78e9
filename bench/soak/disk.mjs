// The registrations and grants that lie in the storage of the objects, read while nobody writes there.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * What says of itself which registration it is, in `names`: one that is there twice comes twice. A child does not know its name but its
 * parent's, so `children` has the parents of all; and `families` has the person of each family of refresh tokens of a client.
 */
export function records(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(({ name }) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  const found = files.map(({ parentPath, name }) => record(join(parentPath, name))).filter(Boolean);
  const of = (wanted) => found.filter(({ kind }) => kind === wanted).map(({ state }) => state);
  const states = of("registration");
  const isChild = ({ standing }) => standing.kind === "Child";
  return {
    names: states.filter((one) => !isChild(one)).map(({ ownership }) => ownership.name),
    children: states.filter(isChild).map(({ standing }) => standing.ancestors.at(-1)),
    families: of("grant").flatMap(({ account, redemptions }) => redemptions.filter(({ family }) => family).map(() => account)),
  };
}

/** What an object keeps, with its kind, or null if that is no record or it is empty. */
function record(file) {
  // Not read only: what is still in the log of a process that was killed belongs to it.
  const database = new DatabaseSync(file);
  try {
    if (!database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'record'").get()) return null;
    const row = database.prepare("SELECT body FROM record").get();
    return row ? JSON.parse(row.body) : null;
  } finally {
    database.close();
  }
}
