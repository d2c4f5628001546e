import { expect, it } from 'vitest';
import type { CheckResult, LabResult } from '../protocol/index.ts';
import { bearableJobs } from './bearable-jobs.ts';
import { formatProof, formatSummary, proofToJson } from './format-proof.ts';
import { problemOf } from './verify-lab.ts';
import type { LabProof } from './verify-lab.ts';

const check = (id: string, status: CheckResult['status']): CheckResult => ({
  id,
  title: `Title of ${id}`,
  points: 10,
  status,
  expected: `what ${id} expects`,
  actual: `what ${id} saw`,
  hint: '',
  durationMs: 1000,
});
const resultOf = (...checks: readonly CheckResult[]): LabResult => ({
  lab: 'a-lab',
  mode: 'clean-room',
  outcome: checks.some(({ status }) => status === 'error') ? 'ungradable' : 'failed',
  score: 0,
  maxScore: 0,
  durationMs: 5000,
  engine: '26.1.5',
  checks: [...checks],
});
const proofOf = (caughtBy: readonly string[] | null, ...checks: readonly CheckResult[]): LabProof => {
  const result = resultOf(...checks);
  const subject = { subject: 'forgot-user', title: 'Nobody said who runs it' };
  return { ...subject, caughtBy, problem: problemOf(result, caughtBy), durationMs: 6500, result };
};

it('takes a wrong case for caught by exactly the checks that it names', () => {
  const [pass, fail, skip] = [check('a', 'pass'), check('b', 'fail'), check('c', 'skip')];
  expect(problemOf(resultOf(pass, fail, skip), ['b'])).toBe('');
  expect(problemOf(resultOf(pass, fail, skip), ['a', 'b'])).toBe('not caught by a');
  expect(problemOf(resultOf(pass, fail, skip), ['a'])).toBe('not caught by a; also fails b');
  expect(problemOf(resultOf(pass, fail), [])).toBe('fails b');
  expect(problemOf(resultOf(pass), null)).toBe('passes every check already');
  expect(problemOf(resultOf(fail), null)).toBe('');
  expect(problemOf(resultOf(check('a', 'error'), fail), ['b'])).toBe('could not be judged: a');
});

it('prints a proof that holds in a line, with the checks that caught it', () => {
  const proof = proofOf(['b'], check('a', 'pass'), check('b', 'fail'));
  expect(formatProof(proof, { color: false })).toBe('✓ forgot-user 6.5 s [b] Nobody said who runs it\n');
});

it('prints what should have failed, what did, and the evidence of the checks that came out otherwise', () => {
  const proof = proofOf(['a'], check('a', 'pass'), check('b', 'fail'), check('c', 'skip'), check('d', 'pass'));
  expect(formatProof(proof, { color: false })).toBe(`✗ forgot-user 6.5 s [b] Nobody said who runs it
    not caught by a; also fails b
    should fail  a
    fails        b
    not reached  c
✓ Title of a a, 10/10, 1.0 s
    expected  what a expects
    actual    what a saw
✗ Title of b b, 0/10, 1.0 s
    expected  what b expects
    actual    what b saw
`);
});

it('sums up, and tells programs the same', () => {
  const holds = proofOf(['b'], check('a', 'pass'), check('b', 'fail'));
  const broken = { ...proofOf(['a'], check('a', 'pass')), subject: 'other' };
  expect(formatSummary([holds, broken], { jobs: 2, elapsedMs: 7000 })).toBe(
    '1 of 2 as they should be, not other (7.0 s with 2 at a time, 13.0 s of work)\n',
  );
  expect(proofToJson(broken)).toMatchObject({ holds: false, shouldFail: ['a'], fails: [], durationMs: 6500 });
});

it('runs as many sandboxes as there are cores, as long as each may fill its memory', () => {
  const gigabyte = 1024 ** 3;
  expect(bearableJobs(2 * gigabyte, { cores: 8, freeBytes: 100 * gigabyte })).toBe(8);
  expect(bearableJobs(2 * gigabyte, { cores: 8, freeBytes: 7 * gigabyte })).toBe(3);
  expect(bearableJobs(2 * gigabyte, { cores: 8, freeBytes: gigabyte })).toBe(1);
});
