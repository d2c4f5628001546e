import type { CheckResult, EventMessage, LabResult } from '../../sandbox-server/protocol/index.ts';

export interface CheckSummary {
  readonly id: string;
  readonly title: string;
  readonly points: number;
}

/** One check as the panel shows it. */
export interface CheckRow extends CheckSummary {
  readonly status: 'idle' | 'waiting' | 'running' | CheckResult['status'];
  /** The last verdict; kept while the check runs again. */
  readonly result: CheckResult | null;
}

export interface CheckBoard {
  readonly rows: readonly CheckRow[];
  readonly running: boolean;
  /** The last complete run; null before the first. */
  readonly result: LabResult | null;
}

/** A board on which nothing has been judged yet. */
export function emptyBoard(checks: readonly CheckSummary[]): CheckBoard {
  return { rows: checks.map((check) => ({ ...check, status: 'idle', result: null })), running: false, result: null };
}

/** The board after an event of the session; the same board when the event says nothing of checks. */
export function updateBoard(board: CheckBoard, message: EventMessage): CheckBoard {
  switch (message.type) {
    case 'checks-started':
      return begin(board, message.ids);
    case 'check':
      return judge(board, message.result);
    case 'checks-done':
      return finish(board, message.result);
    case 'session':
    case 'files':
    case 'images':
    case 'notice':
    case 'error':
      return board;
  }
}

/** Checks have begun: those in `ids` lose their verdict, the first of them runs. */
export function begin(board: CheckBoard, ids: readonly string[]): CheckBoard {
  const rows = board.rows.map((row): CheckRow => (ids.includes(row.id) ? { ...row, status: 'waiting' } : row));
  return { ...board, rows: markRunning(rows), running: true };
}

/** All is judged; `result` may hold only the checks that were asked for. */
export function finish(board: CheckBoard, result: LabResult): CheckBoard {
  const judged = result.checks.reduce(judge, board);
  return { ...settle(judged), result };
}

/** The run broke off without a result: unjudged checks show what they showed before. */
export function settle(board: CheckBoard): CheckBoard {
  const rows = board.rows.map((row): CheckRow =>
    row.status === 'waiting' || row.status === 'running' ? { ...row, status: row.result?.status ?? 'idle' } : row,
  );
  return { ...board, rows, running: false };
}

/** Points won by the verdicts on the board, of all there are to win. */
export function score(board: CheckBoard): { readonly won: number; readonly all: number; readonly passed: number } {
  const passed = board.rows.filter((row) => row.status === 'pass');
  const sum = (rows: readonly CheckRow[]): number => rows.reduce((total, row) => total + row.points, 0);
  return { won: sum(passed), all: sum(board.rows), passed: passed.length };
}

function judge(board: CheckBoard, result: CheckResult): CheckBoard {
  const rows = board.rows.map((row): CheckRow =>
    row.id === result.id ? { ...row, status: result.status, result } : row,
  );
  return { ...board, rows: board.running ? markRunning(rows) : rows };
}

/** Checks are judged in order, so the first that waits is the one being judged. */
function markRunning(rows: readonly CheckRow[]): readonly CheckRow[] {
  if (rows.some((row) => row.status === 'running')) return rows;
  const next = rows.findIndex((row) => row.status === 'waiting');
  return rows.map((row, index): CheckRow => (index === next ? { ...row, status: 'running' } : row));
}
