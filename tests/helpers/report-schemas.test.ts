import { readFileSync } from 'node:fs';
import { validate } from 'ctrf';
import { expect, it } from 'vitest';
import { validateXML } from 'xmllint-wasm';
import { formatReport } from '../../sandbox-server/grading/index.ts';
import type { Graded } from '../../sandbox-server/grading/index.ts';
import type { CheckResult, LabResult } from '../../sandbox-server/protocol/index.ts';

/** Reports as their readers' own schemas want them: Jenkins' for JUnit XML, that of the CTRF project. */

const jenkins = readFileSync(new URL('jenkins-junit.xsd', import.meta.url), 'utf8');
const nasty = '</failure>]]> & "quotes" <b>\u0007 \u001b[31m \u{1F600} \uFFFE\nsecond line';

const check = (status: CheckResult['status'], text: string): CheckResult => ({
  id: `check-${status}`,
  title: `Title ${text}`,
  points: 10,
  status,
  expected: text,
  actual: text,
  hint: text,
  durationMs: 1234,
});
const resultOf = (outcome: LabResult['outcome'], checks: readonly CheckResult[]): LabResult => ({
  lab: 'a-lab',
  mode: 'clean-room',
  outcome,
  score: 10,
  maxScore: 40,
  durationMs: 5000,
  engine: '26.1.5',
  checks: [...checks],
});
const every = ['pass', 'fail', 'skip', 'error'] as const;
const all: readonly Graded[] = [
  {
    name: 'ada',
    durationMs: 5000,
    memoryPeakBytes: null,
    refusal: null,
    result: resultOf('passed', [check('pass', 'plain')]),
  },
  {
    name: nasty,
    durationMs: 1_234_567.8,
    memoryPeakBytes: null,
    refusal: null,
    result: resultOf(
      'ungradable',
      every.map((status) => check(status, nasty)),
    ),
  },
  {
    name: 'cyd',
    durationMs: 10,
    memoryPeakBytes: null,
    result: null,
    refusal: { outcome: 'refused', message: nasty, hint: nasty, errorId: '' },
  },
  {
    name: 'dan',
    durationMs: 10,
    memoryPeakBytes: null,
    result: null,
    refusal: { outcome: 'ungradable', message: 'ours', hint: '', errorId: 'e1' },
  },
];
const reportOf = (format: 'junit' | 'ctrf', graded: readonly Graded[]): string =>
  formatReport(graded, {
    format,
    color: false,
    lab: 'a-lab',
    many: graded.length > 1,
    version: '1.2.3',
    generated: new Date(1_700_000_000_000),
  });

async function judgeXml(xml: string): Promise<{ valid: boolean; errors: readonly string[] }> {
  const { valid, errors } = await validateXML({ xml: [{ fileName: 'report.xml', contents: xml }], schema: [jenkins] });
  return { valid, errors: errors.map(({ message }) => message) };
}

it.each([
  ['none', []],
  ['one', all.slice(0, 1)],
  ['all kinds', all],
] as const)("JUnit XML of %s is valid by Jenkins' schema", async (_name, graded) => {
  expect(await judgeXml(reportOf('junit', graded))).toEqual({ valid: true, errors: [] });
});

it("Jenkins' schema refuses what is wrong", async () => {
  const wrong = reportOf('junit', all).replace('<testcase name=', '<testcase title=');
  expect(await judgeXml(wrong)).toMatchObject({ valid: false });
});

it.each([
  ['one', all.slice(0, 1)],
  ['all kinds', all],
] as const)('CTRF of %s is valid by its schema', (_name, graded) => {
  expect(validate(JSON.parse(reportOf('ctrf', graded)))).toEqual({ valid: true, errors: [] });
});

it('the schema of CTRF refuses what is wrong', () => {
  const report = JSON.parse(reportOf('ctrf', all)) as { results: { tests: { status: string }[] } };
  for (const test of report.results.tests) test.status = 'pass';
  expect(validate(report)).toMatchObject({ valid: false });
});
