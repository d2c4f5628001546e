import { expect, test } from 'vitest';
import { ratio, summarise } from './statistics.ts';

test('medians, spread and percentiles by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1).reverse();
  expect(summarise(hundred)).toEqual({ n: 100, median: 50.5, min: 1, max: 100, p90: 90, p99: 99 });
  expect(summarise([3, 1, 2])).toMatchObject({ n: 3, median: 2, min: 1, max: 3, p99: 3 });
  expect(summarise([])).toBeNull();
});

test('ratios of medians', () => {
  expect(ratio(summarise([20, 30, 10]), summarise([2]))).toBe(10);
  expect(ratio(null, summarise([2]))).toBeNull();
});
