import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../', import.meta.url).pathname;
const page = readFileSync(`${root}docs/topics.md`, 'utf8');

const rows = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, number]) => /^\d+\.\d+$/.test(number ?? ''))
  .map(([, number = '', topic = '', lesson = '', step = '', lab = '', check = '']) => ({
    number,
    topic,
    lesson,
    step,
    lab,
    check,
  }));

const headingsOf = (lesson: string): string[] => {
  const file = `${root}src/content/lessons/${lesson}.mdx`;
  if (!existsSync(file)) return [];
  return [...readFileSync(file, 'utf8').matchAll(/^## (.+)$/gm)].map(([, text = '']) => text);
};

test('all five documents are there', () => {
  expect(new Set(rows.map(({ number }) => number.split('.')[0]))).toEqual(new Set(['1', '2', '3', '4', '5']));
});

test('each has a lesson, a step and a lab', () => {
  expect(rows.filter(({ lesson, step, lab }) => lesson === '' || step === '' || lab === '')).toEqual([]);
});

test.each(rows)('the step of $number exists: $step', ({ lesson, step }) => {
  expect(headingsOf(lesson)).toContain(step);
});

test.each(rows)('the lab of $number exists, and its check: $lab $check', ({ lab, check }) => {
  const checks = [...readFileSync(`${root}labs/${lab}/lab.yaml`, 'utf8').matchAll(/^ {2}- id: (\S+)$/gm)];
  if (check !== '') expect(checks.map(([, id]) => id)).toContain(check);
});
