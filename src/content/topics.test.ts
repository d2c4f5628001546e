import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(`${root}docs/topics.md`, 'utf8');

/** Topics that no lesson teaches yet. Lower it as they are taught; it must never rise. */
const mostUntaught = 0;

const rows = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, number]) => /^\d+\.\d+$/.test(number ?? ''))
  .map(([, number = '', topic = '', lesson = '', step = '', lab = '']) => ({ number, topic, lesson, step, lab }));

const headingsOf = (lesson: string): string[] => {
  const file = `${root}src/content/lessons/${lesson}.mdx`;
  if (!existsSync(file)) return [];
  return [...readFileSync(file, 'utf8').matchAll(/^## (.+)$/gm)].map(([, text = '']) => text);
};

test('all five documents are there', () => {
  expect(new Set(rows.map(({ number }) => number.split('.')[0]))).toEqual(new Set(['1', '2', '3', '4', '5']));
});

test('no more topics are left untaught than is known', () => {
  expect(rows.filter(({ step }) => step === '').length).toBeLessThanOrEqual(mostUntaught);
});

const taught = rows.filter(({ lesson }) => lesson !== '');

test.each(taught)('the step of $number exists: $step', ({ lesson, step }) => {
  expect(headingsOf(lesson)).toContain(step);
});

test.each(taught.filter(({ lab }) => lab !== ''))('the lab of $number exists: $lab', ({ lab }) => {
  expect(existsSync(`${root}labs/${lab}/lab.yaml`)).toBe(true);
});
