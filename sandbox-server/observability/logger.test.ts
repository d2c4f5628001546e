import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { createLogger } from './logger.ts';

function collecting(): { lines: string[]; output: Writable } {
  const lines: string[] = [];
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  return { lines, output };
}

test('redacts tokens and cookies wherever a request may carry them', () => {
  const { lines, output } = collecting();
  const logger = createLogger('info', output);
  logger.info({ token: 'secret-1', session: { token: 'secret-2' } }, 'made');
  logger.info({ req: { headers: { authorization: 'Bearer secret-3', cookie: 'ballast_x=secret-4' } } }, 'asked');
  expect(lines.join('')).not.toContain('secret-');
  expect(lines.join('')).toContain('[redacted]');
});

test('escapes what a terminal would obey, and stays JSON', () => {
  const { lines, output } = collecting();
  createLogger('info', output).info({ path: 'a\u001b[31m\u009b2J\u202eb\n' }, 'named');
  const line = lines.join('');
  // eslint's no-control-regex would object to the range written as a pattern.
  const controls = Array.from(line.trimEnd()).filter(
    (c) => c < ' ' || (c >= '\u007f' && c <= '\u009f') || c === '\u202e',
  );
  expect(controls).toEqual([]);
  expect((JSON.parse(line) as { path: string }).path).toBe('a\u001b[31m\u009b2J\u202eb\n');
});
