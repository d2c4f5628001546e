import type { CheckResult } from '../protocol/index.ts';
import { outcomeOf } from './graded.ts';
import type { Graded } from './graded.ts';

/**
 * JUnit XML as CI systems read it (valid by Jenkins' schema): a suite for each submission, a case for each check. A check
 * that could not be done is an error, not a failure.
 */
export function toJUnit(lab: string, all: readonly Graded[]): string {
  const suites = all.map((graded) => suite(lab, graded));
  const count = (name: 'tests' | 'failures' | 'errors'): number =>
    suites.reduce((sum, { counts }) => sum + counts[name], 0);
  const total = attributes({
    name: 'ballast',
    time: seconds(all.reduce((sum, { durationMs }) => sum + durationMs, 0)),
    tests: count('tests'),
    failures: count('failures'),
    errors: count('errors'),
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites${total}>\n${suites.map(({ xml }) => xml).join('')}</testsuites>\n`;
}

interface Suite {
  readonly xml: string;
  readonly counts: Readonly<Record<'tests' | 'failures' | 'errors' | 'skipped', number>>;
}

function suite(lab: string, graded: Graded): Suite {
  const { name, result, refusal, durationMs } = graded;
  const className = `ballast.${lab}`;
  const checks = result?.checks ?? [];
  const cases = checks.map((check) => testCase(className, check));
  if (refusal !== null) {
    const head = attributes({ name: 'submission', classname: className, time: seconds(durationMs) });
    const told = element('error', { message: refusal.message, type: refusal.outcome }, refusal.hint);
    cases.push(`    <testcase${head}>${told}</testcase>\n`);
  }
  const counts = {
    tests: cases.length,
    failures: checks.filter(({ status }) => status === 'fail').length,
    errors: checks.filter(({ status }) => status === 'error').length + (refusal === null ? 0 : 1),
    skipped: checks.filter(({ status }) => status === 'skip').length,
  };
  const facts = {
    outcome: outcomeOf(graded),
    score: result?.score ?? 0,
    maxScore: result?.maxScore ?? 0,
    engine: result?.engine ?? '',
  };
  const properties = Object.entries(facts).map(
    ([key, value]) => `      <property${attributes({ name: key, value })}/>\n`,
  );
  const head = attributes({ name, time: seconds(durationMs), ...counts });
  return {
    counts,
    xml: `  <testsuite${head}>\n    <properties>\n${properties.join('')}    </properties>\n${cases.join('')}  </testsuite>\n`,
  };
}

const elementOf = { fail: 'failure', error: 'error' } as const;

function testCase(className: string, check: CheckResult): string {
  const head = attributes({ name: check.title, classname: className, time: seconds(check.durationMs) });
  if (check.status === 'pass') return `    <testcase${head}/>\n`;
  const details = [
    ['expected', check.expected],
    ['actual', check.actual],
    ['hint', check.hint],
  ].flatMap(([label = '', text = '']) => (text === '' ? [] : [`${label}: ${text}`]));
  // Of "skipped", Jenkins' schema wants the text alone.
  if (check.status === 'skip') return `    <testcase${head}><skipped>${escapeXml(check.actual)}</skipped></testcase>\n`;
  const [message = ''] = check.actual.split('\n', 1);
  return `    <testcase${head}>${element(elementOf[check.status], { message, type: check.id }, details.join('\n'))}</testcase>\n`;
}

const element = (name: string, values: Readonly<Record<string, string>>, text: string): string =>
  `<${name}${attributes(values)}>${escapeXml(text)}</${name}>`;

const attributes = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeXml(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** What XML 1.0 forbids even as a reference: most control characters, halves of surrogate pairs, U+FFFE and U+FFFF. */
const forbidden = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

/** Text for XML content and attributes. */
export const escapeXml = (text: string): string =>
  text.replaceAll(forbidden, '').replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');

const seconds = (ms: number): string => (ms / 1000).toFixed(3);
