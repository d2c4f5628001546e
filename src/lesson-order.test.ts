import { expect, test } from 'vitest';
import { inOrder, nextOf } from './lesson-order.ts';

const entry = (id: string, order: number, more: { track?: string; capstone?: boolean } = {}) => ({
  id,
  data: { order, capstone: false, ...more },
});
const ids = inOrder([
  entry('python', 1, { track: 'Python' }),
  entry('diet', 6, { capstone: true }),
  entry('second', 2),
  entry('go', 2, { track: 'Go' }),
  entry('first', 1),
]);

test('lessons come first, then the capstone, then the tracks', () => {
  expect(ids.map(({ id }) => id)).toEqual(['first', 'second', 'diet', 'python', 'go']);
});

test('lessons lead to the capstone, and the capstone to no track', () => {
  expect(nextOf(ids, 1)?.id).toBe('diet');
  expect(nextOf(ids, 2)).toBeUndefined();
  expect(nextOf(ids, 4)).toBeUndefined();
});
