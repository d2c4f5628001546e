import type { Verdict } from './check-kind.ts';

/** A verdict against what is judged. */
export type Failed = Extract<Verdict, { readonly status: 'fail' }>;

/**
 * Thrown by what several kinds look with, where there is nothing to judge by and that is the doing of what is judged: the
 * runner makes it the check's verdict.
 */
export class CheckFailed extends Error {
  readonly verdict: Failed;

  constructor(verdict: Omit<Failed, 'status'>) {
    super(verdict.actual);
    this.name = 'CheckFailed';
    this.verdict = { status: 'fail', ...verdict };
  }
}
