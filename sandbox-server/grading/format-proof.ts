import pc from 'picocolors';
import type { CheckResult } from '../protocol/index.ts';
import { formatCheck, seconds } from './format.ts';
import { withStatus } from './verify-lab.ts';
import type { LabProof } from './verify-lab.ts';

/** Lines on a proof of `ballast verify`: one where it holds, else what was expected, what came, and the evidence. */
export function formatProof(proof: LabProof, { color }: { readonly color: boolean }): string {
  const { subject, title, caughtBy, problem, durationMs, result } = proof;
  const paint = pc.createColors(color);
  const mark = problem === '' ? paint.green('✓') : paint.red('✗');
  const failed = withStatus(result, 'fail');
  const by = failed.length === 0 ? '' : ` [${failed.join(', ')}]`;
  const head = `${mark} ${paint.bold(subject)} ${seconds(durationMs)}${by} ${paint.dim(title)}\n`;
  if (problem === '') return head;
  const skipped = withStatus(result, 'skip');
  const facts = [
    ...(caughtBy === null ? [] : [`should fail  ${listed(caughtBy)}`]),
    `fails        ${listed(failed)}`,
    ...(skipped.length === 0 ? [] : [`not reached  ${listed(skipped)}`]),
  ];
  const evidence = result.checks.filter((check) => isEvidence(check, caughtBy));
  return [
    head,
    `    ${paint.red(problem)}\n`,
    ...facts.map((fact) => `    ${fact}\n`),
    ...evidence.map((check) => `${formatCheck(check, { color, always: true })}\n`),
  ].join('');
}

const listed = (ids: readonly string[]): string => (ids.length === 0 ? '(none)' : ids.join(', '));

/** What an author has to look at: checks that came out otherwise than they should, or not at all. */
function isEvidence({ id, status }: CheckResult, caughtBy: readonly string[] | null): boolean {
  if (status === 'error' || caughtBy === null) return true;
  return caughtBy.includes(id) ? status !== 'fail' : status === 'fail';
}

/** A proof as it stands in the JSON of `ballast verify`; times in ms. */
export function proofToJson({ subject, title, caughtBy, problem, durationMs, result }: LabProof): unknown {
  return {
    subject,
    title,
    holds: problem === '',
    problem,
    durationMs,
    shouldFail: caughtBy,
    fails: withStatus(result, 'fail'),
    checks: result.checks,
  };
}

/** A line on all proofs of a lab: how many hold, how long it took. */
export function formatSummary(
  proofs: readonly LabProof[],
  { jobs, elapsedMs }: { readonly jobs: number; readonly elapsedMs: number },
): string {
  const broken = proofs.filter(({ problem }) => problem !== '').map(({ subject }) => subject);
  const worked = proofs.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const how = `${seconds(elapsedMs)} with ${String(jobs)} at a time, ${seconds(worked)} of work`;
  const held = `${String(proofs.length - broken.length)} of ${String(proofs.length)} as they should be`;
  return `${held}${broken.length === 0 ? '' : `, not ${broken.join(', ')}`} (${how})\n`;
}
