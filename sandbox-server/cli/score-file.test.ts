import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Graded } from '../grading/index.ts';
import { openScoreFile } from './score-file.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ballast-scores-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const refused = (name: string): Graded => ({
  name,
  durationMs: 1000,
  memoryPeakBytes: null,
  result: null,
  refusal: { outcome: 'refused', message: 'No.', hint: '', errorId: '' },
});
const head = 'submission,outcome,score,max_score,seconds,a,problem\r\n';

it('has each line as soon as it is known, whole, however many come at once', async () => {
  const file = join(folder, 'scores.csv');
  const scores = await openScoreFile(file, ['a']);
  expect(readFileSync(file, 'utf8')).toBe(head);
  await scores.add(refused('ada'));
  expect(readFileSync(file, 'utf8')).toBe(`${head}ada,refused,,,1.0,,No.\r\n`);
  await Promise.all(Array.from({ length: 50 }, (_, index) => scores.add(refused(`n${String(index)}`))));
  await scores.close();
  expect(scores.failed()).toBeNull();
  const lines = readFileSync(file, 'utf8').split('\r\n');
  expect(lines).toHaveLength(53);
  expect(lines[52 - 1]).toBe('n49,refused,,,1.0,,No.');
});

it('is refused before anything is graded where it cannot be written', async () => {
  const file = join(folder, 'not', 'there.csv');
  await expect(openScoreFile(file, [])).rejects.toMatchObject({ code: 'bad_request' });
  expect(existsSync(file)).toBe(false);
});

it('tells what could not be written, and does not fail the grading', async () => {
  // What is written there is never kept: as on a disk that is full.
  const scores = await openScoreFile('/dev/full', ['a']);
  await scores.add(refused('ada'));
  await scores.close();
  expect(scores.failed()).toMatchObject({ code: 'bad_request', message: expect.stringContaining('ENOSPC') as string });
});

it('is nothing where none is wanted', async () => {
  const scores = await openScoreFile(null, []);
  await scores.add(refused('ada'));
  await scores.close();
  expect(scores.failed()).toBeNull();
});
