import { describe, expect, it } from 'vitest';
import { formatBytes, formatCountdown, formatDuration, formatWait } from './format.ts';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [5_500_000, '5.5 MB'],
    [12_000_000, '12 MB'],
    [812_345_678, '812 MB'],
    [999_900, '1 MB'],
    [1_260_000_000, '1.26 GB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe('formatDuration', () => {
  it.each([
    [340, '340 ms'],
    [1249, '1.2 s'],
    [59_990, '1 min 0 s'],
    [125_000, '2 min 5 s'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('formatCountdown', () => {
  it.each([
    [7_080_000, '1 h 58 min'],
    [725_000, '12 min'],
    [245_000, '4:05'],
    [-5, '0:00'],
  ])('%d ms left is %s', (ms, text) => {
    expect(formatCountdown(ms)).toBe(text);
  });
});

describe('formatWait', () => {
  it.each([
    [20, 'less than a minute'],
    [60, 'about 1 minute'],
    [61, 'about 2 minutes'],
  ])('%d s is %s', (seconds, text) => {
    expect(formatWait(seconds)).toBe(text);
  });
});
