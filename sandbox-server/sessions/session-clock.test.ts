import { expect, test } from 'vitest';
import { standing } from './session-clock.ts';

const minute = 60_000;
const limits = { idleMs: 60 * minute, lifeMs: 120 * minute };
const at = (now: number, activeAt = 0, expiresAt = 120 * minute): ReturnType<typeof standing> =>
  standing({ now: now * minute, activeAt: activeAt * minute, expiresAt }, limits);

test('a session in use is ready until its time is nearly up', () => {
  expect(at(114, 114)).toMatchObject({ phase: 'ready', nextAt: 115 * minute });
  expect(at(115, 115)).toEqual({
    phase: 'expiring',
    reason: 'time',
    endsAt: 120 * minute,
    nextAt: 120 * minute,
  });
  expect(at(120, 120)).toMatchObject({ phase: 'over', reason: 'time' });
});

test('one that is left alone becomes idle, is warned five minutes before, and ends', () => {
  expect(at(4)).toMatchObject({ phase: 'ready', nextAt: 5 * minute });
  expect(at(5)).toMatchObject({ phase: 'idle', nextAt: 55 * minute });
  expect(at(55)).toMatchObject({ phase: 'expiring', reason: 'idle', endsAt: 60 * minute });
  expect(at(60)).toMatchObject({ phase: 'over', reason: 'idle' });
  expect(at(55, 54)).toMatchObject({ phase: 'ready' });
});

test('short lives are warned in proportion', () => {
  const times = { now: 0, activeAt: 0, expiresAt: 8000 };
  expect(standing(times, { idleMs: 60 * minute, lifeMs: 8000 })).toMatchObject({ phase: 'ready', nextAt: 6000 });
});
