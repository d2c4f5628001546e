import type { LabResult } from '../protocol/index.ts';

/** Why there is no result. */
export interface Refusal {
  /**
   * "refused": it is no submission (too large, a link that leads out of it …), for its author to mend.
   * "ungradable": something failed on our side, which is not counted against it.
   */
  readonly outcome: 'refused' | 'ungradable';
  readonly message: string;
  readonly hint: string;
  /** Where to find it in the log; empty for what its author can mend. */
  readonly errorId: string;
}

/** One submission and what became of it. */
export interface Graded {
  /** As it was named on the command line, shortened to what tells it from the others. */
  readonly name: string;
  /** From reading it to its sandbox's removal. */
  readonly durationMs: number;
  /** Most memory that its sandbox ever used, with what the kernel keeps of its files; null where that is not known. */
  readonly memoryPeakBytes: number | null;
  readonly result: LabResult | null;
  /** Null when there is a result. */
  readonly refusal: Refusal | null;
}

export type GradedOutcome = LabResult['outcome'] | Refusal['outcome'];

/** One word on a submission. */
export const outcomeOf = ({ result, refusal }: Graded): GradedOutcome =>
  result?.outcome ?? refusal?.outcome ?? 'ungradable';

const statuses: Readonly<Record<GradedOutcome, number>> = { passed: 0, failed: 1, refused: 2, ungradable: 3 };

/** Exit status of the design for submissions together: the worst of them. */
export const exitStatus = (all: readonly Graded[]): number =>
  Math.max(0, ...all.map((graded) => statuses[outcomeOf(graded)]));
