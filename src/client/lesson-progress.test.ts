import { describe, expect, test } from 'vitest';
import { isDone, judged, mark, noProgress, readProgress, stepAt, writeProgress } from './lesson-progress.ts';

const read = { slug: 'read', title: 'Read', checks: [] };
const build = { slug: 'build', title: 'Build', checks: ['image-built', 'small-image'] };

function memoryStore() {
  const items = new Map<string, string>();
  return {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
}

describe('a step', () => {
  test('with checks is done when all of them have passed, and a mark does not do it', () => {
    const half = judged(noProgress, new Map([['image-built', 'pass']]));
    expect(isDone(build, half)).toBe(false);
    expect(isDone(build, mark(half, 'build', true))).toBe(false);
    expect(isDone(build, judged(half, new Map([['small-image', 'pass']])))).toBe(true);
  });

  test('is undone when a check fails again, and stays done when others are judged', () => {
    const done = judged(
      noProgress,
      new Map([
        ['image-built', 'pass'],
        ['small-image', 'pass'],
      ]),
    );
    expect(isDone(build, judged(done, new Map([['serves-http', 'fail']])))).toBe(true);
    expect(isDone(build, judged(done, new Map([['small-image', 'fail']])))).toBe(false);
  });

  test('without checks is done when it is marked, until the mark is taken back', () => {
    const marked = mark(noProgress, 'read', true);
    expect(isDone(read, marked)).toBe(true);
    expect(isDone(read, mark(marked, 'read', false))).toBe(false);
    expect(mark(marked, 'read', true).marked).toEqual(['read']);
  });
});

describe('what is remembered', () => {
  test('comes back for its own lesson only', () => {
    const store = memoryStore();
    writeProgress(store, 'a', mark(noProgress, 'read', true));
    expect(readProgress(store, 'a').marked).toEqual(['read']);
    expect(readProgress(store, 'b')).toEqual(noProgress);
  });

  test('is nothing when it cannot be read', () => {
    const store = memoryStore();
    store.setItem('ballast.progress.a', '{"marked": 1}');
    expect(readProgress(store, 'a')).toEqual(noProgress);
  });
});

test('the reader is in the last step whose heading has passed the line', () => {
  expect(stepAt([200, 900, 1500], 100)).toBe(0);
  expect(stepAt([-700, 90, 600], 100)).toBe(1);
  expect(stepAt([-2000, -900, -20], 100)).toBe(2);
  expect(stepAt([], 100)).toBe(0);
});
