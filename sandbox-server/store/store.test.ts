import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openDatabase } from './open-database.ts';
import { createSavedFilesStore } from './saved-files-store.ts';
import { createSessionStore, type SessionRecord } from './session-store.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-store-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const record: SessionRecord = {
  id: 'abcdefghij0123456789',
  tokenHash: new Uint8Array([1, 2, 3]),
  ownerHash: null,
  berth: 'abcdefghij0123456789',
  lab: 'multi-stage-go',
  sandboxId: null,
  state: 'starting',
  failure: null,
  createdAt: new Date(1000),
  startedAt: new Date(1000),
  expiresAt: new Date(2000),
};

test('a session survives the server', () => {
  const file = join(folder, 'new', 'ballast.db');
  const first = openDatabase(file, () => undefined);
  createSessionStore(first).save(record);
  createSessionStore(first).save({ ...record, state: 'ready', sandboxId: 'c1' });
  first.close();
  const second = openDatabase(file, () => undefined);
  expect(createSessionStore(second).list()).toEqual([{ ...record, state: 'ready', sandboxId: 'c1' }]);
  createSessionStore(second).remove(record.id);
  expect(createSessionStore(second).list()).toEqual([]);
  second.close();
});

test('a failure is kept with its words', () => {
  const database = openDatabase(join(folder, 'ballast.db'), () => undefined);
  const store = createSessionStore(database);
  store.save({ ...record, state: 'failed', failure: { code: 'sandbox_failed', message: 'no', hint: 'again' } });
  expect(store.list()[0]?.failure).toEqual({ code: 'sandbox_failed', message: 'no', hint: 'again' });
  database.close();
});

test.each([
  ['rubbish', 'This is not a database. '.repeat(500)],
  ['a damaged file', 'SQLite format 3\0' + 'x'.repeat(9000)],
])('%s is kept aside and a new database begun', (_name, content) => {
  const file = join(folder, 'ballast.db');
  writeFileSync(file, content);
  const onCorrupt = vi.fn();
  const database = openDatabase(file, onCorrupt);
  const store = createSessionStore(database);
  store.save(record);
  expect(store.list()).toHaveLength(1);
  database.close();
  expect(onCorrupt).toHaveBeenCalledOnce();
  const kept = readdirSync(folder).find((name) => name.includes('.corrupt-') && !name.endsWith('-wal'));
  expect(readFileSync(join(folder, kept ?? ''), 'utf8')).toBe(content);
});

test('a database of a newer Ballast is kept aside, not written to', () => {
  const file = join(folder, 'ballast.db');
  const newer = new DatabaseSync(file);
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  const onCorrupt = vi.fn();
  openDatabase(file, onCorrupt).close();
  expect(onCorrupt).toHaveBeenCalledWith(expect.stringContaining('.corrupt-'), expect.stringContaining('newer'));
});

test('no two sessions have the same berth', () => {
  const database = openDatabase(join(folder, 'ballast.db'), () => undefined);
  const store = createSessionStore(database);
  store.save(record);
  const other = { ...record, id: 'zzzzzzzzzzzzzzzzzzzz' };
  expect(() => {
    store.save(other);
  }).toThrow(/UNIQUE/);
  store.save({ ...other, berth: other.id });
  expect(store.list()).toHaveLength(2);
  database.close();
});

test('a full disk is told as such, and what was there stays', () => {
  const database = openDatabase(join(folder, 'ballast.db'), () => undefined);
  const store = createSessionStore(database);
  store.save(record);
  const pages = Number(database.prepare('PRAGMA page_count').get()?.['page_count']);
  database.exec(`PRAGMA max_page_count = ${String(pages)}`);
  const filling = (): void => {
    for (let index = 0; index < 1000; index += 1) {
      const id = String(index).padStart(20, 'a');
      store.save({ ...record, id, berth: id });
    }
  };
  expect(filling).toThrow(expect.objectContaining({ code: 'disk_full' }));
  expect(store.list().map(({ id }) => id)).toContain(record.id);
  database.exec('PRAGMA max_page_count = 1000000');
  store.save({ ...record, id: 'zzzzzzzzzzzzzzzzzzzz', berth: 'zzzzzzzzzzzzzzzzzzzz' });
  database.close();
});

test('a database of the first version is brought up to date with its sessions', () => {
  const file = join(folder, 'ballast.db');
  const old = new DatabaseSync(file);
  old.exec(`CREATE TABLE sessions (id TEXT PRIMARY KEY, token_hash BLOB NOT NULL, lab TEXT NOT NULL, sandbox_id TEXT,
    state TEXT NOT NULL, failure TEXT, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) STRICT;
    INSERT INTO sessions VALUES ('abcdefghij0123456789', x'010203', 'multi-stage-go', 'c1', 'ready', NULL, 1000, 2000);
    PRAGMA user_version = 1`);
  old.close();
  const database = openDatabase(file, () => undefined);
  expect(createSessionStore(database).list()).toEqual([{ ...record, state: 'ready', sandboxId: 'c1' }]);
  database.close();
});

test('saved files are found by their owner and lab alone', () => {
  const database = openDatabase(join(folder, 'ballast.db'), () => undefined);
  const store = createSavedFilesStore(database);
  const mine = { ownerHash: new Uint8Array([1]), lab: 'multi-stage-go' };
  store.save({ ...mine, file: 'a.tar.gz', savedAt: new Date(1) });
  store.save({ ...mine, file: 'b.tar.gz', savedAt: new Date(2) });
  expect(store.find(mine)).toEqual({ ...mine, file: 'b.tar.gz', savedAt: new Date(2) });
  expect(store.find({ ...mine, ownerHash: new Uint8Array([2]) })).toBeNull();
  expect(store.find({ ...mine, lab: 'another-lab' })).toBeNull();
  store.remove(mine);
  expect(store.list()).toEqual([]);
  database.close();
});
