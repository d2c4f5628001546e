import { expect, test } from 'vitest';
import { fileCondition } from './file-routes.ts';

const hash = 'a'.repeat(64);

test('conditional headers say what a write insists on', () => {
  expect(fileCondition({})).toBe('any');
  expect(fileCondition({ 'if-none-match': '*' })).toBe('new');
  expect(fileCondition({ 'if-match': `"${hash}"` })).toEqual({ version: hash });
});

test.each([
  { 'if-match': hash },
  { 'if-match': '*' },
  { 'if-match': `W/"${hash}"` },
  { 'if-match': `"${hash}", "${hash}"` },
  { 'if-match': '"$(id)"' },
  { 'if-none-match': `"${hash}"` },
  { 'if-match': `"${hash}"`, 'if-none-match': '*' },
])('%j is refused', (headers) => {
  expect(() => fileCondition(headers)).toThrow(expect.objectContaining({ code: 'bad_request' }));
});
