import { describe, expect, test } from 'vitest';
import { readFenceMeta } from './fence-meta.ts';
import { readLessonBlocks, splitLastCommand } from './lesson-blocks.ts';

const lesson = [
  'Text.',
  '## Without `mkdir`',
  '```sh run',
  '## no heading',
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
      { kind: 'step', line: 2, title: 'Without mkdir' },
      { kind: 'run', line: 3, code: '## no heading\ndocker build -t a - <<END\nFROM scratch\nEND\n', fails: false },
      { kind: 'file', line: 13, code: 'FROM golang\n', file: 'Dockerfile' },
      { kind: 'run', line: 17, code: 'false\n', fails: true },
    ]);
  });

  test('refuses a fence that is not closed', () => {
    expect(() => readLessonBlocks('a\n```sh run\nls\n')).toThrow('line 2');
  });
});

describe('splitLastCommand', () => {
  test.each([
    { what: 'one command', before: '', last: 'docker run a\n' },
    { what: 'several', before: 'docker build .\ndocker run -d a\n', last: 'curl localhost | grep ok\n' },
    { what: 'a comment at the end', before: 'docker build .\n', last: 'docker run a\n# it fails\n' },
    { what: 'continued lines', before: 'docker build .\n', last: 'docker run \\\n  --rm \\\n  a\n' },
    {
      what: 'a here-document before',
      before: "docker build -t a - <<'END'\nFROM scratch\nCOPY <<FILE /x\nx\nFILE\nEND\n",
      last: 'docker run a\n',
    },
    { what: 'a here-document in it', before: 'true\n', last: 'docker build - <<END\nFROM scratch\n\nRUN no\nEND\n' },
    { what: 'two here-documents in it', before: 'true\n', last: 'diff /dev/fd/3 - 3<<A <<B\na\nA\nb\nB\n' },
    { what: 'a here-string, which has no end', before: 'cat <<<END\n', last: 'false\n' },
  ])('$what', ({ before, last }) => {
    expect(splitLastCommand(`${before}${last}`)).toEqual({ before, last });
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
