import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openDatabase } from './open-database.ts';
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
  lab: 'multi-stage-go',
  sandboxId: null,
  state: 'starting',
  failure: null,
  createdAt: new Date(1000),
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
