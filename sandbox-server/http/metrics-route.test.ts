import type { IncomingHttpHeaders } from 'node:http';
import { expect, test } from 'vitest';
import { mayReadMetrics } from './metrics-route.ts';

const from = (remoteAddress: string, headers: IncomingHttpHeaders = {}): Parameters<typeof mayReadMetrics>[0] => ({
  headers,
  socket: { remoteAddress },
});
const token = 'a-token-of-some-length';

test('without a token, this machine alone may read', () => {
  expect(mayReadMetrics(from('127.0.0.1'), undefined)).toBe(true);
  expect(mayReadMetrics(from('::ffff:127.0.0.1'), undefined)).toBe(true);
  expect(mayReadMetrics(from('::1'), undefined)).toBe(true);
  expect(mayReadMetrics(from('192.0.2.7'), undefined)).toBe(false);
  expect(mayReadMetrics(from('127.0.0.1', { 'x-forwarded-for': '192.0.2.7' }), undefined)).toBe(false);
});

test('with one, whoever sends it and nobody else', () => {
  expect(mayReadMetrics(from('192.0.2.7', { authorization: `Bearer ${token}` }), token)).toBe(true);
  expect(mayReadMetrics(from('127.0.0.1'), token)).toBe(false);
  expect(mayReadMetrics(from('127.0.0.1', { authorization: 'Bearer another-one' }), token)).toBe(false);
});
