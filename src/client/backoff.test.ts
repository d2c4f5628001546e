import { describe, expect, it } from 'vitest';
import { backoffDelay } from './backoff.ts';

describe('backoffDelay', () => {
  it('doubles up to the limit', () => {
    const delays = [0, 1, 2, 3, 50].map((attempt) =>
      backoffDelay(attempt, { baseMs: 100, maxMs: 1000, random: () => 1 }),
    );
    expect(delays).toEqual([100, 200, 400, 800, 1000]);
  });

  it('takes off up to half at random', () => {
    expect(backoffDelay(2, { baseMs: 100, maxMs: 1000, random: () => 0 })).toBe(200);
    expect(backoffDelay(2, { baseMs: 100, maxMs: 1000, random: () => 0.5 })).toBe(300);
  });
});
