import { outcomeOf } from './graded.ts';
import type { Graded } from './graded.ts';

/** Scores for a spreadsheet (RFC 4180): a line for each submission, a column for each check's points. */
export function toCsv(checkIds: readonly string[], all: readonly Graded[]): string {
  const head = ['submission', 'outcome', 'score', 'max_score', 'seconds', ...checkIds, 'problem'];
  const rows = all.map((graded) => {
    const { name, result, refusal, durationMs } = graded;
    const checks = new Map(result?.checks.map((check) => [check.id, check]));
    const points = checkIds.map((id) => {
      const check = checks.get(id);
      if (check === undefined || check.status === 'error') return '';
      return check.status === 'pass' ? check.points : 0;
    });
    const score = result === null || result.outcome === 'ungradable' ? '' : result.score;
    const seconds = (durationMs / 1000).toFixed(1);
    return [name, outcomeOf(graded), score, result?.maxScore ?? '', seconds, ...points, refusal?.message ?? ''];
  });
  return [head, ...rows].map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

/** Spreadsheets run what begins like a formula: the names of submissions are their authors' words. */
const formula = /^[\s]*[=+\-@\t\r|%]/;

function field(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const safe = formula.test(value) ? `'${value}` : value;
  return /[",\r\n';\t]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
