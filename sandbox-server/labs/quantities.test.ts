import { expect, it } from 'vitest';
import { byteSize, duration, formatBytes } from './quantities.ts';

it.each([
  ['20 MB', 20e6],
  ['1.5 GiB', 1.5 * 1024 ** 3],
  ['512B', 512],
  ['10 kB', 10_000],
])('reads the size %s', (text, bytes) => {
  expect(byteSize.parse(text)).toBe(bytes);
});

it.each(['20', '20 mb', '-1 MB', 'x', '1.2.3 MB'])('refuses the size %s', (text) => {
  expect(byteSize.safeParse(text).success).toBe(false);
});

it.each([
  ['500ms', 500],
  ['10s', 10_000],
  ['1.5 m', 90_000],
])('reads the duration %s', (text, ms) => {
  expect(duration.parse(text)).toBe(ms);
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1500, '1.5 kB'],
  [999_600, '1.0 MB'],
  [5_510_000, '5.5 MB'],
  [266_000_000, '266 MB'],
  [1.2e9, '1.2 GB'],
])('writes %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
