import { expect, test } from 'vitest';
import { isLive, nextStatus, type SessionStatus } from './session-status.ts';

const queued: SessionStatus = { kind: 'queued', position: 1, waitSeconds: null };
const starting: SessionStatus = { kind: 'starting', stage: 'Starting', progress: 0 };
const ready: SessionStatus = { kind: 'ready', sandboxId: 'c1' };
const idle: SessionStatus = { kind: 'idle', sandboxId: 'c1' };
const expiring: SessionStatus = { kind: 'expiring', sandboxId: 'c1', reason: 'time', endsAt: new Date(0) };
const failed: SessionStatus = { kind: 'failed', failure: { code: 'sandbox_failed', message: 'm', hint: 'h' } };
const closed: SessionStatus = { kind: 'closed', farewell: '' };

test.each([
  [queued, queued],
  [queued, starting],
  [queued, closed],
  [starting, starting],
  [starting, ready],
  [starting, failed],
  [starting, closed],
  [ready, idle],
  [idle, ready],
  [idle, expiring],
  [expiring, ready],
  [expiring, closed],
  [ready, starting],
  [ready, failed],
  [ready, closed],
  [failed, starting],
  [failed, closed],
])('%j may become %j', (from, to) => {
  expect(nextStatus(from, to)).toBe(to);
});

test.each([
  [queued, ready],
  [starting, queued],
  [starting, idle],
  [failed, ready],
  [closed, starting],
  [closed, closed],
])('%j may not become %j', (from, to) => {
  expect(() => nextStatus(from, to)).toThrow(/cannot become/);
});

test('a live session keeps its sandbox: another one comes by way of a start', () => {
  expect(() => nextStatus(ready, { kind: 'idle', sandboxId: 'c2' })).toThrow(/cannot become/);
});

test('only a live session has the id of a sandbox, and the compiler knows', () => {
  const idOf = (status: SessionStatus): string | null => (isLive(status) ? status.sandboxId : null);
  expect([queued, starting, ready, idle, expiring, failed, closed].map(idOf)).toEqual([
    null,
    null,
    'c1',
    'c1',
    'c1',
    null,
    null,
  ]);
  // @ts-expect-error -- a queued session has no sandbox
  const wrong: SessionStatus = { kind: 'queued', position: 1, waitSeconds: null, sandboxId: 'c1' };
  // @ts-expect-error -- an expiring session says when and why
  const half: SessionStatus = { kind: 'expiring', sandboxId: 'c1' };
  expect([wrong.kind, half.kind]).toEqual(['queued', 'expiring']);
});
