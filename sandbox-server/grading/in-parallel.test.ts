import { expect, it } from 'vitest';
import { inParallel } from './in-parallel.ts';

it('works on at most so many at a time, and answers in order', async () => {
  let running = 0;
  let most = 0;
  const results = await inParallel([30, 1, 10, 1, 1], 2, async (ms, index) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, ms));
    running -= 1;
    return index;
  });
  expect(results).toEqual([0, 1, 2, 3, 4]);
  expect(most).toBe(2);
});

it('begins no other once one has failed, and lets those end that run', async () => {
  const begun: number[] = [];
  let ended = false;
  const work = async (item: number): Promise<void> => {
    begun.push(item);
    if (item === 1) throw new Error('broken');
    await new Promise((resolve) => setTimeout(resolve, 5));
    ended = true;
  };
  await expect(inParallel([0, 1, 2, 3], 2, work)).rejects.toThrow('broken');
  expect(begun).toEqual([0, 1]);
  expect(ended).toBe(true);
});
