import { describe, expect, it } from 'vitest';
import type { CheckResult, LabResult } from '../../sandbox-server/protocol/index.ts';
import { emptyBoard, score, settle, updateBoard, type CheckBoard } from './check-board.ts';

const checks = [
  { id: 'built', title: 'Image built', points: 10 },
  { id: 'small', title: 'Small', points: 20 },
  { id: 'user', title: 'Not root', points: 5 },
];

const verdict = (id: string, status: CheckResult['status']): CheckResult => ({
  id,
  title: id,
  points: 10,
  status,
  expected: 'e',
  actual: 'a',
  hint: '',
  durationMs: 3,
});

const result = (verdicts: CheckResult[]): LabResult => ({
  lab: 'multi-stage-go',
  mode: 'live',
  outcome: 'failed',
  score: 10,
  maxScore: 35,
  durationMs: 9,
  engine: '26.1.5',
  checks: verdicts,
});

const statuses = (board: CheckBoard): string[] => board.rows.map((row) => row.status);

describe('the check board', () => {
  it('follows a run as it happens', () => {
    let board = emptyBoard(checks);
    board = updateBoard(board, { type: 'checks-started', ids: ['built', 'small', 'user'] });
    expect(statuses(board)).toEqual(['running', 'waiting', 'waiting']);
    board = updateBoard(board, { type: 'check', result: verdict('built', 'pass') });
    expect(statuses(board)).toEqual(['pass', 'running', 'waiting']);
    board = updateBoard(board, { type: 'check', result: verdict('small', 'fail') });
    board = updateBoard(board, {
      type: 'checks-done',
      result: result([verdict('built', 'pass'), verdict('small', 'fail'), verdict('user', 'skip')]),
    });
    expect(statuses(board)).toEqual(['pass', 'fail', 'skip']);
    expect(board.running).toBe(false);
    expect(score(board)).toEqual({ won: 10, all: 35, passed: 1 });
  });

  it('leaves the other verdicts alone when only some checks run', () => {
    let board = updateBoard(emptyBoard(checks), { type: 'check', result: verdict('built', 'pass') });
    board = updateBoard(board, { type: 'checks-started', ids: ['small'] });
    expect(statuses(board)).toEqual(['pass', 'running', 'idle']);
  });

  it('goes back to the last verdicts when a run breaks off', () => {
    let board = updateBoard(emptyBoard(checks), { type: 'check', result: verdict('built', 'pass') });
    board = settle(updateBoard(board, { type: 'checks-started', ids: ['built', 'small'] }));
    expect(statuses(board)).toEqual(['pass', 'idle', 'idle']);
  });
});
