// The registrations that lie in the storage of the objects, read while nobody writes there.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/**
 * What says of itself which registration it is, in `names`: one that is there twice comes twice. A child does not know its name but its
 * parent's, so `children` has the parents of all.
 */
export function registrations(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(({ name }) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  const states = files.map(({ parentPath, name }) => state(join(parentPath, name))).filter(Boolean);
  const isChild = ({ standing }) => standing.kind === "Child";
  return {
    names: states.filter((one) => !isChild(one)).map(({ ownership }) => ownership.name),
    children: states.filter(isChild).map(({ standing }) => standing.ancestors.at(-1)),
  };
}

/** The state of a registration, or null if the object is something else or empty. */
function state(file) {
  // Not read only: what is still in the log of a process that was killed belongs to it.
  const database = new DatabaseSync(file);
  try {
    if (!database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'record'").get()) return null;
    const row = database.prepare("SELECT body FROM record").get();
    const record = row ? JSON.parse(row.body) : null;
    return record?.kind === "registration" ? record.state : null;
  } finally {
    database.close();
  }
}
