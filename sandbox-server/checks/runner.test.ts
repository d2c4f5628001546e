import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { z } from 'zod';
import type { LabCheck } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import { CheckFailed } from './check-failed.ts';
import type { CheckContext, CheckKind, Verdict } from './check-kind.ts';
import { register } from './kinds/index.ts';
import { orderChecks } from './order.ts';
import { runChecks } from './runner.ts';

const result = (stdout: string) => ({ exitCode: 0, stdout, stderr: '', timedOut: false, truncated: false });
const context: Omit<CheckContext, 'signal'> = {
  shell: { run: () => Promise.resolve(result('26.1.5\n')), stream: () => Promise.reject(new Error('unused')) },
  images: { read: () => Promise.reject(new Error('unused')), search: () => Promise.reject(new Error('unused')) },
  labDir: '/home/learner/lab',
  mode: 'live',
};

const verdicts: Readonly<Record<string, (signal: AbortSignal) => Promise<Verdict>>> = {
  pass: () => Promise.resolve({ status: 'pass', expected: 'e', actual: 'a' }),
  fail: () =>
    Promise.resolve({ status: 'fail', expected: 'e', actual: '\u001b[31mred\u001b[0m', hint: 'from the kind' }),
  throw: () => Promise.reject(new Error('secret detail')),
  tell: () => Promise.reject(new BallastError('engine_failed', { message: 'The engine is down.' })),
  refuse: () => Promise.reject(new CheckFailed({ expected: 'short', actual: 'long', hint: 'cut it' })),
  hang: () => new Promise(() => undefined),
  obey: (signal) => delay(60_000, undefined, { signal }).then(() => ({ status: 'pass', expected: '', actual: '' })),
};
const kinds = new Map(
  Object.entries(verdicts).map(([name, run]) => {
    const kind: CheckKind<Record<string, never>> = {
      name,
      summary: '',
      docs: { looksAt: '', example: '', fails: '' },
      schema: z.strictObject({}),
      timeoutMs: 100,
      run: (_, { signal }) => run(signal),
    };
    return [name, register(kind)];
  }),
);
const check = (id: string, kind: string, more: Partial<LabCheck> = {}): LabCheck => ({
  id,
  title: `The ${id}`,
  points: 10,
  kind,
  with: {},
  needs: [],
  ...more,
});
const run = (checks: LabCheck[], options: Partial<Parameters<typeof runChecks>[2]> = {}) =>
  runChecks({ id: 'lab', checks }, context, { kinds, ...options });

it('fails, and does not err, where there is nothing to judge by and that is what is judged', async () => {
  const judged = await run([check('a', 'refuse')]);
  expect(judged).toMatchObject({ outcome: 'failed', checks: [{ status: 'fail', expected: 'short', actual: 'long' }] });
});

it('passes when every check does, with score and engine', async () => {
  const judged = await run([check('a', 'pass'), check('b', 'pass', { points: 5 })]);
  expect(judged).toMatchObject({
    lab: 'lab',
    mode: 'live',
    outcome: 'passed',
    score: 15,
    maxScore: 15,
    engine: '26.1.5',
  });
});

it("fails with evidence made plain, and the kind's hint before the lab's", async () => {
  const judged = await run([check('a', 'fail', { hint: 'from the lab' }), check('b', 'pass')]);
  expect(judged).toMatchObject({ outcome: 'failed', score: 10 });
  expect(judged.checks[0]).toMatchObject({ status: 'fail', actual: 'red', hint: 'from the kind\nfrom the lab' });
});

it('skips what needs a check that has not passed, and says which', async () => {
  const judged = await run([
    check('a', 'fail'),
    check('b', 'pass', { needs: ['a'] }),
    check('c', 'pass', { needs: ['b'] }),
  ]);
  expect(judged.checks.map(({ status }) => status)).toEqual(['fail', 'skip', 'skip']);
  expect(judged.checks[1]?.actual).toBe('Not looked at: "The a" has not passed.');
  expect(judged.checks[2]?.actual).toBe('Not looked at: it needs "The b", and "The a" has not passed.');
});

it('names the root of what was not looked at, however long the chain, and the one that could not be judged', async () => {
  const judged = await run([
    check('a', 'throw'),
    check('b', 'pass', { needs: ['a'] }),
    check('c', 'pass', { needs: ['b'] }),
    check('d', 'pass', { needs: ['c'] }),
  ]);
  expect(judged.checks[3]?.actual).toBe('Not looked at: it needs "The c", and "The a" could not be judged.');
});

it('blames nobody for a kind that throws, and tells no detail', async () => {
  const errors: (readonly [string, unknown, string])[] = [];
  const judged = await run([check('a', 'throw'), check('b', 'tell'), check('c', 'pass', { needs: ['a'] })], {
    onError: (id, error, errorId) => errors.push([id, error, errorId]),
  });
  expect(judged.outcome).toBe('ungradable');
  expect(judged.checks.map(({ status }) => status)).toEqual(['error', 'error', 'skip']);
  expect(judged.checks[0]?.actual).not.toContain('secret');
  expect(judged.checks[1]?.actual).toContain('The engine is down.');
  expect(judged.checks[2]?.actual).toContain('could not be judged');
  expect(errors.map(([id]) => id)).toEqual(['a', 'b']);
  // What the learner is shown is what the log has, and is another one each time.
  errors.forEach(([, , errorId], index) => {
    expect(judged.checks[index]?.hint).toContain(`error id ${errorId}`);
  });
  expect(new Set(errors.map(([, , errorId]) => errorId)).size).toBe(2);
});

it.each(['hang', 'obey'])('ends a check that takes too long as an error (%s)', async (kind) => {
  const judged = await run([check('a', kind)]);
  expect(judged).toMatchObject({ outcome: 'ungradable', checks: [{ status: 'error' }] });
});

it('stops when the caller has gone', async () => {
  const gone = new AbortController();
  const running = run([check('a', 'pass'), check('b', 'hang')], {
    signal: gone.signal,
    onResult: () => {
      gone.abort(new Error('gone'));
    },
  });
  await expect(running).rejects.toThrow('gone');
});

it('judges the checks asked for with those they need, and tells as it goes', async () => {
  const told: unknown[] = [];
  const checks = [check('a', 'pass'), check('b', 'pass', { needs: ['a'] }), check('c', 'fail')];
  const judged = await run(checks, {
    ids: ['b'],
    onStart: (ids) => told.push(ids),
    onResult: ({ id }) => told.push(id),
  });
  expect(told).toEqual([['a', 'b'], 'a', 'b']);
  expect(judged).toMatchObject({ outcome: 'passed', maxScore: 20 });
});

it('orders checks after what they need and otherwise as written', () => {
  const checks = [check('c', 'pass', { needs: ['a'] }), check('b', 'pass'), check('a', 'pass', { needs: ['b'] })];
  expect(orderChecks(checks).map(({ id }) => id)).toEqual(['b', 'a', 'c']);
});

it('judges at the same time what does not need one another, and gives the results as written', async () => {
  const ended: string[] = [];
  let together = 0;
  let most = 0;
  const slow = (ms: number, alone = false) =>
    register({
      name: '',
      summary: '',
      docs: { looksAt: '', example: '', fails: '' },
      schema: z.strictObject({}),
      timeoutMs: 5000,
      alone,
      async run() {
        together += 1;
        most = Math.max(most, together);
        if (alone) expect(together).toBe(1);
        await delay(ms);
        if (alone) expect(together).toBe(1);
        together -= 1;
        return { status: 'pass' as const, expected: '', actual: '' };
      },
    });
  const timed = new Map([
    ['long', slow(80)],
    ['short', slow(5)],
    ['alone', slow(5, true)],
  ]);
  const checks = [
    check('a', 'long'),
    check('needs-a', 'short', { needs: ['a'] }),
    check('b', 'short'),
    check('by-itself', 'alone'),
    check('c', 'short'),
  ];
  const judged = await run(checks, { kinds: timed, concurrency: 3, onResult: ({ id }) => ended.push(id) });
  expect(judged.outcome).toBe('passed');
  expect(judged.checks.map(({ id }) => id)).toEqual(['a', 'needs-a', 'b', 'by-itself', 'c']);
  expect(ended.indexOf('b')).toBeLessThan(ended.indexOf('a'));
  expect(ended.indexOf('a')).toBeLessThan(ended.indexOf('needs-a'));
  expect(most).toBe(3);
});
