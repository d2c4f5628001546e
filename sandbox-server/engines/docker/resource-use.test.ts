import { expect, it } from 'vitest';
import { toResourceUse } from './resource-use.ts';

const cpu = { cpu_usage: { total_usage: 1_500_000_000 } };

it('reads what engines answer, with either version of control groups', () => {
  const first = { cpu_stats: cpu, memory_stats: { usage: 1, max_usage: 9 }, pids_stats: { current: 40, limit: 1024 } };
  expect(toResourceUse(first)).toEqual({ processes: 40, processLimit: 1024, cpuMs: 1500, memoryPeakBytes: 9 });
  const unlimited = { cpu_stats: cpu, memory_stats: { usage: 1 }, pids_stats: { current: 4, limit: 2 ** 64 } };
  expect(toResourceUse(unlimited)).toEqual({ processes: 4, processLimit: null, cpuMs: 1500, memoryPeakBytes: null });
  expect(toResourceUse({ cpu_stats: cpu })).toMatchObject({ processes: 0, processLimit: null });
});
