import { expect, it } from 'vitest';
import { createTurns } from './turns.ts';

const never = new AbortController().signal;

it('lets so many work, so many wait, and refuses the rest', async () => {
  const turns = createTurns(1, 1);
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = turns.take(never, () => promise);
  const order: string[] = [];
  const second = turns.take(never, () => {
    order.push('second');
    return Promise.resolve('second');
  });
  await expect(turns.take(never, () => Promise.resolve())).rejects.toMatchObject({ code: 'capacity' });
  expect(order).toEqual([]);
  resolve('first');
  expect(await Promise.all([first, second])).toEqual(['first', 'second']);
  expect(await turns.take(never, () => Promise.resolve('third'))).toBe('third');
});

it('frees the place of one that fails and of one that leaves while waiting', async () => {
  const turns = createTurns(1, 1);
  const { promise, reject } = Promise.withResolvers<string>();
  const first = turns.take(never, () => promise);
  const leaving = new AbortController();
  const second = turns.take(leaving.signal, () => Promise.resolve('second'));
  leaving.abort(new Error('gone'));
  await expect(second).rejects.toThrow('gone');
  reject(new Error('broken'));
  await expect(first).rejects.toThrow('broken');
  expect(await turns.take(never, () => Promise.resolve('third'))).toBe('third');
});
