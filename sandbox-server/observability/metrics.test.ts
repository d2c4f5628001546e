import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('metrics come in the form of Prometheus, levels as they are when asked', async () => {
  const states = ['ready', 'ready'];
  const metrics = createMetrics({ states: () => states, pooled: () => 1, terminals: () => 3 });
  metrics.sessionStarted({ warm: true, ms: 120 });
  metrics.terminalBytes('out', 1000);
  metrics.checkDone('pass');
  states.push('queued');
  const lines = (await metrics.text()).split('\n');
  for (const line of [
    'ballast_sessions{state="ready"} 2',
    'ballast_sessions{state="queued"} 1',
    'ballast_sessions{state="idle"} 0',
    'ballast_pool_ready 1',
    'ballast_terminal_views 3',
    'ballast_session_start_seconds_bucket{le="0.15",from="warm"} 1',
    'ballast_terminal_bytes_total{direction="out"} 1000',
    'ballast_checks_total{status="pass"} 1',
  ]) {
    expect(lines).toContain(line);
  }
  expect(lines.some((line) => line.startsWith('nodejs_eventloop_lag_p99_seconds '))).toBe(true);
  expect(lines.some((line) => line.startsWith('process_resident_memory_bytes '))).toBe(true);
  expect(lines.some((line) => line.startsWith('process_open_fds '))).toBe(true);
});
