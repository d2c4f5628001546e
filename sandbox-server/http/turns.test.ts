import { expect, it } from 'vitest';
import { createTurns } from './turns.ts';
import type { Turns } from './turns.ts';

const never = new AbortController().signal;

async function take<Result>(turns: Turns, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  using place = turns.enter();
  await place.turn(signal);
  return await work();
}

it('lets so many work, so many wait, and refuses the rest', async () => {
  const turns = createTurns(1, 1);
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = take(turns, never, () => promise);
  const order: string[] = [];
  const second = take(turns, never, () => {
    order.push('second');
    return Promise.resolve('second');
  });
  await expect(take(turns, never, () => Promise.resolve())).rejects.toMatchObject({ code: 'capacity' });
  expect(order).toEqual([]);
  resolve('first');
  expect(await Promise.all([first, second])).toEqual(['first', 'second']);
  expect(await take(turns, never, () => Promise.resolve('third'))).toBe('third');
});

it('frees the place of one that fails and of one that leaves while waiting', async () => {
  const turns = createTurns(1, 1);
  const { promise, reject } = Promise.withResolvers<string>();
  const first = take(turns, never, () => promise);
  const leaving = new AbortController();
  const second = take(turns, leaving.signal, () => Promise.resolve('second'));
  leaving.abort(new Error('gone'));
  await expect(second).rejects.toThrow('gone');
  reject(new Error('broken'));
  await expect(first).rejects.toThrow('broken');
  expect(await take(turns, never, () => Promise.resolve('third'))).toBe('third');
});

it('counts who has a place and is not ready yet, and frees the place of one that never is', async () => {
  const turns = createTurns(1, 1);
  const early = turns.enter();
  const late = turns.enter();
  expect(() => turns.enter()).toThrow(/Too many/);
  early[Symbol.dispose]();
  await late.turn(never);
  using third = turns.enter();
  let ready = false;
  const waiting = third.turn(never).then(() => {
    ready = true;
  });
  await Promise.resolve();
  expect(ready).toBe(false);
  late[Symbol.dispose]();
  await waiting;
  expect(ready).toBe(true);
});
