import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Each entry brings the schema from the version of its index to the next. Never edit one that was released. */
const migrations = [
  `CREATE TABLE sessions (
     id TEXT PRIMARY KEY,
     token_hash BLOB NOT NULL,
     lab TEXT NOT NULL,
     sandbox_id TEXT,
     state TEXT NOT NULL,
     failure TEXT,
     created_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL
   ) STRICT`,
  // A sandbox from the pool carries the name of its place there, not of the session that it was given to.
  `ALTER TABLE sessions ADD COLUMN owner_hash BLOB;
   ALTER TABLE sessions ADD COLUMN berth TEXT NOT NULL DEFAULT '';
   ALTER TABLE sessions ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;
   UPDATE sessions SET berth = id, started_at = created_at;
   CREATE UNIQUE INDEX sessions_by_berth ON sessions (berth);
   CREATE TABLE saved_files (
     owner_hash BLOB NOT NULL,
     lab TEXT NOT NULL,
     file TEXT NOT NULL,
     saved_at INTEGER NOT NULL,
     PRIMARY KEY (owner_hash, lab)
   ) STRICT`,
];

function openAt(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5000 });
  try {
    const check = database.prepare('PRAGMA quick_check(1)').get();
    if (check?.['quick_check'] !== 'ok') throw new Error('the integrity check failed');
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > migrations.length) throw new Error(`it was written by a newer version (schema ${String(version)})`);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON');
    for (const [index, statement] of migrations.entries()) {
      if (index < version) continue;
      database.exec(`BEGIN; ${statement}; PRAGMA user_version = ${String(index + 1)}; COMMIT`);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** The errors of SQLite that mean the file itself is bad (SQLITE_CORRUPT, SQLITE_NOTADB), and our own findings. */
function isUnreadable(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? (code & 0xff) === 11 || (code & 0xff) === 26 : true;
}

/**
 * Opens the database, creating it and its folder (mode 700) when missing. A file that cannot be read is kept aside as
 * `<file>.corrupt-<time>` and a new one begun: sessions whose sandbox still runs are lost to their learners then, but
 * the server comes up.
 * @param file absolute path of the database
 * @param onCorrupt told where the old file was put and why
 * @throws whatever SQLite says when the file is sound but cannot be opened (locked, no rights, disk full)
 */
export function openDatabase(file: string, onCorrupt: (keptAs: string, reason: string) => void): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    return openAt(file);
  } catch (error) {
    if (!existsSync(file) || !isUnreadable(error)) throw error;
    const keptAs = `${file}.corrupt-${new Date().toISOString().replace(/[:.]/g, '-')}`;
    renameSync(file, keptAs);
    // The log belongs to the file: left behind, it would be replayed into the new one.
    for (const suffix of ['-wal', '-shm']) {
      if (existsSync(file + suffix)) renameSync(file + suffix, keptAs + suffix);
    }
    onCorrupt(keptAs, error instanceof Error ? error.message : String(error));
    return openAt(file);
  }
}
