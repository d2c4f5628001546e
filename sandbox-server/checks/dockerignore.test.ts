import { expect, it } from 'vitest';
import { ignoringLine } from './dockerignore.ts';

it.each([
  ['', 'main_test.go', undefined],
  ['# main_test.go', 'main_test.go', undefined],
  ['*_test.go', 'main_test.go', '*_test.go'],
  ['*_test.go', 'pkg/main_test.go', undefined],
  ['**/*_test.go\r', 'pkg/main_test.go', '**/*_test.go'],
  ['tests/', 'tests/api/x.py', 'tests/'],
  ['/tests', 'tests/x.py', '/tests'],
  ['./tests/../tests', 'tests/x.py', './tests/../tests'],
  ['*\n!main_test.go', 'main_test.go', undefined],
  ['!main_test.go\n*', 'main_test.go', '*'],
])('of %j, %s is left out by %j', (text, path, line) => {
  expect(ignoringLine(text, path)).toBe(line);
});
