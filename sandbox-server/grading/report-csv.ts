import { outcomeOf } from './graded.ts';
import type { Graded } from './graded.ts';

/** First line of the scores for a spreadsheet (RFC 4180): a column for each check's points. */
export const csvHead = (checkIds: readonly string[]): string =>
  line(['submission', 'outcome', 'score', 'max_score', 'seconds', ...checkIds, 'problem']);

/** The line of one submission. */
export function csvLine(checkIds: readonly string[], graded: Graded): string {
  const { name, result, refusal, durationMs } = graded;
  const checks = new Map(result?.checks.map((check) => [check.id, check]));
  const points = checkIds.map((id) => {
    const check = checks.get(id);
    if (check === undefined || check.status === 'error') return '';
    return check.status === 'pass' ? check.points : 0;
  });
  const score = result === null || result.outcome === 'ungradable' ? '' : result.score;
  const seconds = (durationMs / 1000).toFixed(1);
  return line([name, outcomeOf(graded), score, result?.maxScore ?? '', seconds, ...points, refusal?.message ?? '']);
}

const line = (fields: readonly (string | number)[]): string => `${fields.map(field).join(',')}\r\n`;

/** Spreadsheets run what begins like a formula: the names of submissions are their authors' words. */
const formula = /^[\s]*[=+\-@\t\r|%]/;

function field(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const safe = formula.test(value) ? `'${value}` : value;
  return /[",\r\n';\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
