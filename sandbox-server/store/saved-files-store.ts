import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { labId } from '../protocol/index.ts';
import { storing } from './storing.ts';

/** Whose files of which lab. */
export interface SavedFilesKey {
  readonly ownerHash: Uint8Array;
  readonly lab: string;
}

export interface SavedFilesRecord extends SavedFilesKey {
  /** Name of the archive in the folder of saved files. */
  readonly file: string;
  readonly savedAt: Date;
}

const row = z.object({ owner_hash: z.instanceof(Uint8Array), lab: labId, file: z.string(), saved_at: z.number() });

function toRecord(value: unknown): SavedFilesRecord {
  const { owner_hash, lab, file, saved_at } = row.parse(value);
  return { ownerHash: owner_hash, lab, file, savedAt: new Date(saved_at) };
}

/** Which files of ended sessions are kept, for whom. The files themselves are beside the database. */
export interface SavedFilesStore {
  /** Insert, or replace what that owner had of that lab. @throws BallastError disk_full */
  save(record: SavedFilesRecord): void;
  find(key: SavedFilesKey): SavedFilesRecord | null;
  /** @throws BallastError disk_full */
  remove(key: SavedFilesKey): void;
  list(): SavedFilesRecord[];
}

/** Saved files in `database`, which {@link openDatabase} has opened. */
export function createSavedFilesStore(database: DatabaseSync): SavedFilesStore {
  const upsert = database.prepare(
    'INSERT OR REPLACE INTO saved_files (owner_hash, lab, file, saved_at) VALUES (?, ?, ?, ?)',
  );
  const find = database.prepare('SELECT * FROM saved_files WHERE owner_hash = ? AND lab = ?');
  const remove = database.prepare('DELETE FROM saved_files WHERE owner_hash = ? AND lab = ?');
  const list = database.prepare('SELECT * FROM saved_files');
  return {
    save({ ownerHash, lab, file, savedAt }) {
      storing(() => upsert.run(ownerHash, lab, file, savedAt.getTime()));
    },
    find({ ownerHash, lab }) {
      const found = find.get(ownerHash, lab);
      return found === undefined ? null : toRecord(found);
    },
    remove({ ownerHash, lab }) {
      storing(() => remove.run(ownerHash, lab));
    },
    list() {
      return list.all().map(toRecord);
    },
  };
}
