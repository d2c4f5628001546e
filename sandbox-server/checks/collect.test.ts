import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { parseBuildFailure } from './build-log.ts';
import { collect } from './collect.ts';

/** A stream in pieces of so many bytes. */
const streamOf = (text: string, piece: number): Readable => {
  const bytes = Buffer.from(text);
  const count = Math.ceil(bytes.length / piece);
  return Readable.from(Array.from({ length: count }, (_, index) => bytes.subarray(index * piece, (index + 1) * piece)));
};

it.each([1, 3, 7, 100])('keeps the start, or both ends, in pieces of %s', async (piece) => {
  const of = (text: string, limit: number, keep?: 'start' | 'ends') => collect(streamOf(text, piece), limit, keep);
  expect(await of('0123456789', 10)).toEqual({ text: '0123456789', truncated: false });
  expect(await of('0123456789', 10, 'ends')).toEqual({ text: '0123456789', truncated: false });
  expect(await of('0123456789x', 10)).toEqual({ text: '0123456789', truncated: true });
  expect(await of('0123456789x', 10, 'ends')).toEqual({ text: '01234\n6789x', truncated: true });
  expect(await of(`start${'.'.repeat(500)}end`, 8, 'ends')).toEqual({ text: 'star\n.end', truncated: true });
  expect(await of('', 8, 'ends')).toEqual({ text: '', truncated: false });
});

it('has the step that failed at the end of a log that is too long', async () => {
  const noise = Array.from({ length: 20_000 }, (_, index) => `#8 0.1 line ${String(index)} of a long test run\n`).join(
    '',
  );
  const log = `#1 [build 1/2] FROM golang\n#8 [build 2/2] RUN make\n${noise}------\n > [build 2/2] RUN make:\n1.2 no rule\n------\nDockerfile:2\nERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2\n`;
  const { text, truncated } = await collect(streamOf(log, 1000), 64 * 1024, 'ends');
  expect(truncated).toBe(true);
  expect(text).toContain('#8 [build 2/2] RUN make');
  expect(parseBuildFailure(text)).toMatchObject({ exitCode: 2, instruction: 'RUN make', output: 'no rule', line: 2 });
});
