import { expect, it } from 'vitest';
import type { LabResult } from '../protocol/index.ts';
import { formatResult } from './format.ts';

const check = { points: 10, expected: '', actual: '', hint: '', durationMs: 1234 };
const result: LabResult = {
  lab: 'multi-stage-go',
  mode: 'clean-room',
  outcome: 'failed',
  score: 10,
  maxScore: 30,
  durationMs: 5000,
  engine: '26.1.5',
  checks: [
    { ...check, id: 'a', title: 'First', status: 'pass', expected: 'not shown', actual: 'not shown' },
    {
      ...check,
      id: 'b',
      title: 'Second',
      status: 'fail',
      expected: 'this',
      actual: 'that\nand more',
      hint: 'look here',
    },
    { ...check, id: 'c', title: 'Third', status: 'skip', actual: 'Not looked at.' },
  ],
};

it('prints what was expected, what was seen and where to look', () => {
  expect(formatResult(result, 'text', { color: false })).toBe(`✓ First 10/10, 1.2 s
✗ Second 0/10, 1.2 s
    expected  this
    actual    that
              and more
    hint      look here
– Third 0/10, 1.2 s
    why       Not looked at.

Not there yet: 10 of 30 points (multi-stage-go, clean-room, Docker Engine 26.1.5, 5.0 s)
`);
});

it('says that nothing counts against what could not be graded', () => {
  expect(formatResult({ ...result, outcome: 'ungradable' }, 'text', { color: false })).toMatch(
    /Could not be graded.*nothing counts/s,
  );
});

it('prints JSON that reads back as it was, and colours on terminals alone', () => {
  expect(JSON.parse(formatResult(result, 'json', { color: true }))).toEqual(result);
  expect(formatResult(result, 'text', { color: true })).toContain('\u001b[');
  expect(formatResult(result, 'text', { color: false })).not.toContain('\u001b[');
});
