import { z } from 'zod';

/** What became of one check. `error` is our fault or the machine's, never the learner's. */
export const checkStatus = z.enum(['pass', 'fail', 'error', 'skip']);

/** One check's verdict; texts are plain text, safe to show as text only. */
export const checkResult = z.object({
  id: z.string(),
  title: z.string(),
  points: z.number().int().nonnegative(),
  status: checkStatus,
  /** What the check wanted to see. */
  expected: z.string(),
  /** What it saw; for `skip`, why it did not look. */
  actual: z.string(),
  /** Where to look; empty when passed. */
  hint: z.string(),
  durationMs: z.number().int().nonnegative(),
  /** Of a check that could not be done (`error`): where the server's log tells the rest. */
  errorId: z.string().optional(),
});
export type CheckResult = z.infer<typeof checkResult>;

/** The verdict on a whole lab, live or clean-room. */
export const labResult = z.object({
  lab: z.string(),
  mode: z.enum(['live', 'clean-room']),
  outcome: z.enum(['passed', 'failed', 'ungradable']),
  score: z.number().int().nonnegative(),
  maxScore: z.number().int().nonnegative(),
  durationMs: z.number().int().nonnegative(),
  /** Version of the engine in the sandbox that judged, e.g. "26.1.5". */
  engine: z.string(),
  checks: z.array(checkResult),
});
export type LabResult = z.infer<typeof labResult>;
