import { expect, it } from 'vitest';
import type { CheckResult, LabResult } from '../protocol/index.ts';
import { formatReport } from './format.ts';
import { exitStatus } from './graded.ts';
import type { Graded } from './graded.ts';
import { csvHead, csvLine } from './report-csv.ts';
import { escapeXml, toJUnit } from './report-junit.ts';

const check = (id: string, status: CheckResult['status'], actual = ''): CheckResult => ({
  id,
  title: `Title of ${id}`,
  points: 10,
  status,
  expected: 'this',
  actual,
  hint: '',
  durationMs: 1500,
});
const resultOf = (outcome: LabResult['outcome'], checks: readonly CheckResult[]): LabResult => ({
  lab: 'a-lab',
  mode: 'clean-room',
  outcome,
  score: checks.filter(({ status }) => status === 'pass').length * 10,
  maxScore: checks.length * 10,
  durationMs: 5000,
  engine: '26.1.5',
  checks: [...checks],
});
const graded = (name: string, result: LabResult): Graded => ({
  name,
  durationMs: 5000,
  memoryPeakBytes: null,
  result,
  refusal: null,
});

const passed = graded('ada', resultOf('passed', [check('a', 'pass'), check('b', 'pass')]));
const failed = graded(
  'bob',
  resultOf('failed', [check('a', 'fail', '<b>&\u0007]]> "saw"\nmore'), check('b', 'skip', 'why')]),
);
const ungradable = graded('cyd', resultOf('ungradable', [check('a', 'pass'), check('b', 'error', 'ours')]));
const refused: Graded = {
  name: '=cmd|calc',
  durationMs: 10,
  memoryPeakBytes: null,
  result: null,
  refusal: { outcome: 'refused', message: 'The submission is larger than 20 MiB.', hint: 'Less.', errorId: '' },
};
const all = [passed, failed, ungradable, refused];
const options = { color: false, lab: 'a-lab', many: true, version: '1.2.3', generated: new Date(1_700_000_000_000) };

it('exits with the worst of all', () => {
  expect(exitStatus([passed])).toBe(0);
  expect(exitStatus([passed, failed])).toBe(1);
  expect(exitStatus([failed, refused])).toBe(2);
  expect(exitStatus(all)).toBe(3);
  expect(exitStatus([])).toBe(0);
});

it('writes JUnit XML with a suite for each submission and a case for each check', () => {
  const xml = toJUnit('a-lab', all);
  expect(xml).toContain('<testsuites name="ballast" time="15.010" tests="7" failures="1" errors="2">');
  expect(xml).toContain('<testsuite name="ada" time="5.000" tests="2" failures="0" errors="0" skipped="0">');
  expect(xml).toContain('<testsuite name="bob" time="5.000" tests="2" failures="1" errors="0" skipped="1">');
  expect(xml).toContain('<property name="outcome" value="ungradable"/>');
  expect(xml).toContain('<failure message="&lt;b&gt;&amp;]]&gt; &quot;saw&quot;" type="a">');
  expect(xml).toContain('<error message="The submission is larger than 20 MiB." type="refused">Less.</error>');
  expect(xml).toContain('name="=cmd|calc"');
});

it('leaves out what XML forbids', () => {
  expect(escapeXml('a\0b\u001b[31mc\uFFFEd\uD800e\u{1F600}\t<')).toBe('ab[31mcde\u{1F600}\t&lt;');
});

it('writes CTRF', () => {
  const report = JSON.parse(formatReport(all, { ...options, format: 'ctrf' })) as {
    results: { summary: Record<string, number>; tests: Record<string, unknown>[] };
  };
  expect(report.results.summary).toEqual({
    tests: 7,
    passed: 3,
    failed: 2,
    skipped: 1,
    pending: 0,
    other: 1,
    suites: 4,
    start: 1_700_000_000_000 - 15_010,
    stop: 1_700_000_000_000,
  });
  expect(report.results.tests[2]).toMatchObject({ name: 'Title of a', status: 'failed', suite: ['bob', 'a-lab'] });
  // What is refused is its author's to mend; what we could not do is neither passed nor failed.
  expect(report.results.tests[6]).toMatchObject({ name: 'submission', status: 'failed', rawStatus: 'refused' });
  expect(report.results.tests[5]).toMatchObject({ status: 'other', rawStatus: 'error' });
});

const toCsv = (ids: readonly string[], graded: readonly Graded[]): string =>
  [csvHead(ids), ...graded.map((one) => csvLine(ids, one))].join('');

it('writes scores as CSV that no spreadsheet takes for a formula', () => {
  expect(toCsv(['a', 'b'], all)).toBe(
    [
      'submission,outcome,score,max_score,seconds,a,b,problem',
      'ada,passed,20,20,5.0,10,10,',
      'bob,failed,0,20,5.0,0,0,',
      'cyd,ungradable,,20,5.0,10,,',
      `"'=cmd|calc",refused,,,0.0,,,The submission is larger than 20 MiB.`,
      '',
    ].join('\r\n'),
  );
});

it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '\r=1', '%0A'])('disarms %j in CSV', (name) => {
  const cell = toCsv([], [{ ...passed, name }])
    .split('\r\n')
    .slice(1)
    .join('\r\n');
  expect(cell).toMatch(/^"'/);
});

it('prints many in a line each and as a JSON list, one as before', () => {
  const text = formatReport(all, { ...options, format: 'text' });
  expect(text.split('\n')).toHaveLength(5);
  expect(text).toContain('✗ bob failed 0/20 5.0 s, a');
  expect(JSON.parse(formatReport(all, { ...options, format: 'json' }))).toMatchObject([
    { submission: 'ada', outcome: 'passed' },
    { outcome: 'failed' },
    { outcome: 'ungradable' },
    { outcome: 'refused', result: null },
  ]);
  expect(JSON.parse(formatReport([passed], { ...options, many: false, format: 'json' }))).toEqual(passed.result);
});
