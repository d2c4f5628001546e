import { expect, test } from 'vitest';
import { assess, estimateWait, measureHost, type AdmissionLimits, type HostRoom } from './admission.ts';

const gigabyte = 1e9;
const limits: AdmissionLimits = {
  sandboxMemoryBytes: gigabyte,
  memoryReserveBytes: gigabyte,
  sandboxDiskBytes: gigabyte,
  diskReserveBytes: 4 * gigabyte,
  maxLoadPerCore: 10,
  maxSessions: 3,
};
const room: HostRoom = { memoryBytes: 8 * gigabyte, diskBytes: 50 * gigabyte, loadPerCore: 1, cores: 2 };
const idle = { active: 0, starting: 0 };

test('there is room on a quiet machine, and on one whose disk cannot be seen', () => {
  expect(assess(room, idle, limits)).toEqual({ kind: 'admit' });
  expect(assess({ ...room, diskBytes: null }, idle, limits)).toEqual({ kind: 'admit' });
});

test.each([
  ['a disk near its reserve', { diskBytes: 4.5 * gigabyte }, idle, 'refuse'],
  ['no memory, and nobody who could give any back', { memoryBytes: 1.5 * gigabyte }, idle, 'refuse'],
  ['no memory until somebody ends', { memoryBytes: 1.5 * gigabyte }, { active: 1, starting: 0 }, 'wait'],
  ['memory that is promised to those starting', { memoryBytes: 3.5 * gigabyte }, { active: 2, starting: 2 }, 'wait'],
  ['as many sessions as are allowed', {}, { active: 3, starting: 0 }, 'wait'],
  ['as many starts as cores', {}, { active: 2, starting: 2 }, 'wait'],
  ['a load that would make a start take for ever', { loadPerCore: 11 }, { active: 1, starting: 0 }, 'wait'],
] as const)('%s', (_name, change, demand, kind) => {
  expect(assess({ ...room, ...change }, demand, limits).kind).toBe(kind);
});

test('the wait is told from what is known, or not at all', () => {
  const facts = { endings: [90_000, 30_000], startMs: 1500, cores: 2, now: 10_000 };
  const full = { kind: 'wait', for: 'a session to end' } as const;
  expect(estimateWait(1, full, facts)).toBe(20);
  expect(estimateWait(2, full, facts)).toBe(80);
  expect(estimateWait(3, full, facts)).toBeNull();
  const starting = { kind: 'wait', for: 'a start to finish' } as const;
  expect(estimateWait(3, starting, facts)).toBe(3);
  expect(estimateWait(3, starting, { ...facts, startMs: null })).toBeNull();
  expect(estimateWait(1, { kind: 'wait', for: 'the machine' }, facts)).toBeNull();
});

test('the machine can be measured', () => {
  const measured = measureHost('/');
  expect(measured.memoryBytes).toBeGreaterThan(0);
  expect(measured.diskBytes).toBeGreaterThan(0);
  expect(measureHost('/no/such/folder').diskBytes).toBeNull();
});
