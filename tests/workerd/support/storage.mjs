// What lies on the disk, read without asking the worker.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const files = ({ folder }) => readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));

/** What a file holds; nothing if workerd has just put it away, as it does with the logs of databases. */
function held(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error.code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}

/** All bytes of all files: databases, their logs, values of KV, caches. */
export const bytes = (postern) => Buffer.concat(files(postern).map(held));

/** Opens a database that workerd may be writing to, or putting away. */
const open = (file, options = {}) => new DatabaseSync(file, { timeout: 10_000, ...options });

/** The records that objects hold, by the objects' ids; objects without a record are not in it. */
export function records(postern) {
  const found = new Map();
  for (const file of files(postern).filter((file) => /[0-9a-f]{64}\.sqlite$/.test(file))) {
    const database = open(file, { readOnly: true });
    try {
      const [table] = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'record'").all();
      const [row] = table ? database.prepare("SELECT body FROM record").all() : [];
      if (row) found.set(/([0-9a-f]{64})\.sqlite$/.exec(file)[1], JSON.parse(row.body));
    } finally {
      database.close();
    }
  }
  return found;
}

/** The same, of one kind. */
export const recordsOf = (postern, kind) => [...records(postern).values()].filter((record) => record.kind === kind);

/** How many people there are: an account that keeps agents alone has no person. */
export function people(postern) {
  let found = 0;
  for (const file of files(postern).filter((file) => /[0-9a-f]{64}\.sqlite$/.test(file))) {
    const database = open(file, { readOnly: true });
    try {
      const [table] = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'person'").all();
      if (table) found += database.prepare("SELECT count(*) AS found FROM person").get().found;
    } finally {
      database.close();
    }
  }
  return found;
}

/** Changes the records of one kind on the disk; only while workerd is down. */
export function rewrite(postern, kind, change) {
  for (const file of files(postern).filter((file) => /[0-9a-f]{64}\.sqlite$/.test(file))) {
    const database = open(file);
    try {
      const [table] = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'record'").all();
      const [row] = table ? database.prepare("SELECT body FROM record").all() : [];
      if (row && JSON.parse(row.body).kind === kind) database.prepare("UPDATE record SET body = ?").run(change(row.body));
    } finally {
      database.close();
    }
  }
}

/** The same record, as if so many milliseconds more had gone by. */
export const older = (ms) => (body) => body.replace(/\b1[6-9]\d{11}\b/g, (moment) => String(Number(moment) - ms));
