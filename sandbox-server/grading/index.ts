export type { GraderOptions } from './clean-room.ts';
export { formatProof, formatResult } from './format.ts';
export type { ResultFormat } from './format.ts';
export { gradeSubmission } from './grade-submission.ts';
export { verifyLab } from './verify-lab.ts';
