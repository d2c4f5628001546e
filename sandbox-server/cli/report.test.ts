import { afterEach, expect, it, vi } from 'vitest';
import { BallastError } from '../protocol/index.ts';
import { describeError, report } from './report.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

function printed(error: unknown): string {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  expect(report(error)).toBe(1);
  return write.mock.calls.map(([text]) => String(text)).join('');
}

const evil = 'a\u001b[2J\u001b]0;passed\u0007\u009b31m\u202Eb\rc';

it.each([
  ['message and hint of ours', new BallastError('bad_path', { message: `${evil} is a link.`, hint: `Not ${evil}.` })],
  ['what nobody foresaw', new Error(evil, { cause: evil })],
  ['what is no error at all', evil],
])('prints nothing that a terminal obeys: %s', (_, error) => {
  const text = printed(error);
  expect(text).toContain('c');
  expect(text).not.toMatch(/[^\P{Cc}\n]|\u202E/u);
});

it('tells the causes of an error, and ends where they go round in a circle', () => {
  const inner = new Error('the disk is gone');
  const outer = new BallastError('engine_failed', { message: 'No answer.', cause: inner });
  expect(describeError(outer)).toMatch(/No answer\.[^]*caused by: Error: the disk is gone\n +at /);
  inner.cause = outer;
  expect(describeError(outer).match(/caused by/g)).toHaveLength(1);
});
