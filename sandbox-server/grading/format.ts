import pc from 'picocolors';
import { plainText } from '../checks/plain-text.ts';
import type { CheckResult, LabResult } from '../protocol/index.ts';
import { outcomeOf } from './graded.ts';
import type { Graded } from './graded.ts';
import { toCtrf } from './report-ctrf.ts';
import { toJUnit } from './report-junit.ts';

/** How results can be printed. */
export const reportFormats = ['text', 'json', 'junit', 'ctrf'] as const;
export type ReportFormat = (typeof reportFormats)[number];

export interface ReportOptions {
  readonly format: ReportFormat;
  /** For terminals only. */
  readonly color: boolean;
  readonly lab: string;
  /** Several were asked for: then JSON is a list, however many there were. */
  readonly many: boolean;
  /** Version of Ballast. */
  readonly version: string;
  /** When the grading ended. */
  readonly generated: Date;
}

/** What became of submissions, as text for people or for a program, with a newline at its end. */
export function formatReport(all: readonly Graded[], options: ReportOptions): string {
  const { format, lab, many } = options;
  if (format === 'junit') return toJUnit(lab, all);
  if (format === 'ctrf') return toJson(toCtrf(lab, all, options));
  const [only] = all;
  if (!many && only?.result != null) return formatResult(only.result, format, options);
  if (format === 'text') return all.map((graded) => line(graded, options)).join('');
  return toJson(
    all.map((graded) => ({
      submission: graded.name,
      outcome: outcomeOf(graded),
      result: graded.result,
      refusal: graded.refusal,
    })),
  );
}

const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const outcomeMarks = { passed: '✓', failed: '✗', refused: '✗', ungradable: '!' } as const;

/** One line on one of many. */
function line(graded: Graded, { color }: { readonly color: boolean }): string {
  const paint = pc.createColors(color);
  const outcome = outcomeOf(graded);
  const tint = { passed: paint.green, failed: paint.red, refused: paint.red, ungradable: paint.yellow }[outcome];
  const { result, refusal, durationMs } = graded;
  const score = result === null ? '' : ` ${String(result.score)}/${String(result.maxScore)}`;
  const failed =
    result?.checks.filter(({ status }) => status === 'fail' || status === 'error').map(({ id }) => id) ?? [];
  const why = refusal === null ? failed.join(', ') : plainText(`${refusal.message} ${refusal.errorId}`, 300);
  const name = plainText(graded.name, 100);
  return `${tint(outcomeMarks[outcome])} ${paint.bold(name)} ${outcome}${score} ${paint.dim(`${seconds(durationMs)}${why === '' ? '' : `, ${why}`}`)}\n`;
}

/** A result as text for people or as JSON, with a newline at its end. Colours are for terminals only. */
export function formatResult(result: LabResult, format: 'text' | 'json', options: { readonly color: boolean }): string {
  return format === 'json' ? toJson(result) : `${formatText(result, options)}\n`;
}

const marks = { pass: '✓', fail: '✗', error: '!', skip: '–' } as const;
const outcomes = { passed: 'Passed', failed: 'Not there yet', ungradable: 'Could not be graded' } as const;

function formatText(result: LabResult, { color }: { readonly color: boolean }): string {
  const paint = pc.createColors(color);
  const lines = result.checks.map((check) => formatCheck(check, { color }));
  const paintOutcome = { passed: paint.green, failed: paint.red, ungradable: paint.yellow }[result.outcome];
  const score = `${String(result.score)} of ${String(result.maxScore)} points`;
  const how = `${result.lab}, ${result.mode}, Docker Engine ${result.engine}, ${seconds(result.durationMs)}`;
  lines.push('', `${paintOutcome(paint.bold(outcomes[result.outcome]))}: ${score} ${paint.dim(`(${how})`)}`);
  if (result.outcome === 'ungradable')
    lines.push('Something went wrong on our side; nothing counts against the submission.');
  return lines.join('\n');
}

/** Lines on one check. @param options.always give the details of a check that has passed as well */
export function formatCheck(
  check: CheckResult,
  { color, always = false }: { readonly color: boolean; readonly always?: boolean },
): string {
  const paint = pc.createColors(color);
  const paints = { pass: paint.green, fail: paint.red, error: paint.yellow, skip: paint.dim };
  const points = `${String(check.status === 'pass' ? check.points : 0)}/${String(check.points)}`;
  const head = `${paints[check.status](marks[check.status])} ${paint.bold(check.title)} ${paint.dim(`${always ? `${check.id}, ` : ''}${points}, ${seconds(check.durationMs)}`)}`;
  const told = check.status === 'pass' && !always ? [] : details(check);
  return [head, ...told.flatMap(([label, text]) => indented(label, text, paint.dim))].join('\n');
}

function details(check: CheckResult): (readonly [string, string])[] {
  const all = [
    ['expected', check.expected],
    [check.status === 'skip' || check.status === 'error' ? 'why' : 'actual', check.actual],
    ['hint', check.hint],
  ] as const;
  return all.filter(([, text]) => text !== '');
}

const labelWidth = 10;

function indented(label: string, text: string, paint: (text: string) => string): string[] {
  return text.split('\n').map((line, index) => `    ${paint((index === 0 ? label : '').padEnd(labelWidth))}${line}`);
}

/** Time for people. */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
