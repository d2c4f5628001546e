import { pino } from 'pino';
import { expect, test } from 'vitest';
import { BallastError } from '../protocol/index.ts';
import { toClientError } from './errors.ts';

test('our own errors pass, a bug is told by id alone', () => {
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  const own = new BallastError('bad_path');
  expect(toClientError(own, logger)).toBe(own);
  expect(lines).toEqual([]);

  const told = toClientError(new TypeError('secret detail'), logger);
  expect(told.code).toBe('internal');
  expect(JSON.stringify(told.toBody())).not.toContain('secret detail');
  const id = /error id ([0-9a-f]{12})/.exec(told.hint)?.[1];
  expect(id).toBeDefined();
  expect(lines.join('')).toContain(id);
  expect(lines.join('')).toContain('secret detail');
});

test('the framework is put into our words', () => {
  const logger = pino({ level: 'silent' });
  const large = Object.assign(new Error('Request body is too large'), { statusCode: 413 });
  expect(toClientError(large, logger).code).toBe('too_large');
  const odd = Object.assign(new Error('Unsupported Media Type'), { statusCode: 415 });
  expect(toClientError(odd, logger)).toMatchObject({ code: 'bad_request', status: 400 });
});
