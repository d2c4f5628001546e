import { expect, test } from 'vitest';
import { nextStatus, type SessionStatus } from './session-status.ts';

const starting: SessionStatus = { kind: 'starting', stage: 'Starting', progress: 0 };
const ready: SessionStatus = { kind: 'ready', sandboxId: 'c1' };
const failed: SessionStatus = { kind: 'failed', failure: { code: 'sandbox_failed', message: 'm', hint: 'h' } };
const closed: SessionStatus = { kind: 'closed' };

test.each([
  [starting, starting],
  [starting, ready],
  [starting, failed],
  [starting, closed],
  [ready, starting],
  [ready, failed],
  [ready, closed],
  [failed, starting],
  [failed, closed],
])('%j may become %j', (from, to) => {
  expect(nextStatus(from, to)).toBe(to);
});

test.each([
  [ready, ready],
  [failed, ready],
  [closed, starting],
  [closed, closed],
])('%j may not become %j', (from, to) => {
  expect(() => nextStatus(from, to)).toThrow(/cannot become/);
});
