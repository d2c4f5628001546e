import { describe, expect, test } from 'vitest';
import { readFenceMeta } from './fence-meta.ts';
import { readLessonBlocks } from './lesson-blocks.ts';

const lesson = [
  'Text.',
  '```sh run',
  'docker build -t a - <<END',
  'FROM scratch',
  'END',
  '```',
  '```dockerfile part="Dockerfile"',
  'FROM build',
  '```',
  '<Hint>',
  '```dockerfile file="Dockerfile"',
  'FROM golang',
  '```',
  '</Hint>',
  '```sh run fails',
  'false',
  '```',
].join('\n');

describe('readLessonBlocks', () => {
  test('keeps the order, the lines and what must fail', () => {
    expect(readLessonBlocks(lesson)).toEqual([
      { kind: 'run', line: 2, code: 'docker build -t a - <<END\nFROM scratch\nEND\n', fails: false },
      { kind: 'file', line: 11, code: 'FROM golang\n', file: 'Dockerfile' },
      { kind: 'run', line: 15, code: 'false\n', fails: true },
    ]);
  });

  test('refuses a fence that is not closed', () => {
    expect(() => readLessonBlocks('a\n```sh run\nls\n')).toThrow('line 2');
  });
});

describe('readFenceMeta', () => {
  test('names a word it does not know', () => {
    expect(() => readFenceMeta('rum')).toThrow('rum');
  });

  test('reads a file name with spaces', () => {
    expect(readFenceMeta('file="a b.txt"').file).toBe('a b.txt');
  });

  test('refuses "fails" without "run"', () => {
    expect(() => readFenceMeta('fails')).toThrow('run');
  });
});
