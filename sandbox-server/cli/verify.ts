import { checkKinds } from '../checks/kinds/index.ts';
import { bearableJobs, formatProof, formatSummary, proofToJson, verifyLab } from '../grading/index.ts';
import { hasColors } from '../colors.ts';
import { BallastError } from '../protocol/index.ts';
import { createCveCounter } from '../vulnerabilities/count-cves.ts';
import { findLab, graderOptions, prepareFor } from './prepare-for.ts';
import { describeError } from './report.ts';

export interface VerifyCommand {
  /** Sandboxes at the same time; as many as the machine bears when left out. */
  readonly jobs?: number;
  readonly format: 'text' | 'json';
  /** Subjects to prove: "starter", "solution", names of wrong cases; all when left out. */
  readonly only?: readonly string[];
}

/** `ballast verify [LAB…]`: prove each lab; exit status 1 when a proof does not hold. The report goes to stdout. */
export async function verify(ids: readonly string[], options: VerifyCommand): Promise<void> {
  if (options.only !== undefined && ids.length !== 1) {
    throw new BallastError('bad_request', {
      message: '--only goes with one lab.',
      hint: 'Name the lab: ballast verify LAB --only solution',
    });
  }
  const environment = await prepareFor({
    withSite: false,
    onLabs: (labs) => (ids.length === 0 ? [...labs.values()] : ids.map((id) => findLab(labs, id))),
  });
  const jobs = options.jobs ?? bearableJobs(environment.config.sandbox.memoryBytes);
  const grader = graderOptions(environment);
  const text = options.format === 'text';
  const labs: unknown[] = [];
  const broken: string[] = [];
  for (const lab of environment.labs.values()) {
    if (ids.length > 0 && !ids.includes(lab.id)) continue;
    if (text) process.stdout.write(`${lab.id}\n`);
    const started = performance.now();
    const going = new Map<string, string>();
    const proofs = await verifyLab(lab, {
      ...grader,
      jobs,
      kinds: checkKinds(createCveCounter(environment.config.home)),
      ...(options.only === undefined ? {} : { only: options.only }),
      onProgress: (subject, done, of) => {
        going.set(subject, `${subject} ${String(done)}/${String(of)}`);
        showGoing(going);
      },
      onProof: (proof) => {
        going.delete(proof.subject);
        clearGoing();
        if (proof.problem !== '') broken.push(proof.subject);
        if (text) process.stdout.write(formatProof(proof, { color: hasColors(process.stdout) }));
        else process.stderr.write(`${lab.id} ${proof.subject}: ${proof.problem || 'as it should be'}\n`);
        showGoing(going);
      },
      onError: (id, error, errorId) => process.stderr.write(`  check ${id} (${errorId}): ${describeError(error)}\n`),
    });
    clearGoing();
    const elapsedMs = Math.round(performance.now() - started);
    if (text) process.stdout.write(formatSummary(proofs, { jobs, elapsedMs }));
    labs.push({ lab: lab.id, durationMs: elapsedMs, proofs: proofs.map(proofToJson) });
  }
  const holds = broken.length === 0;
  if (!text) process.stdout.write(`${JSON.stringify({ holds, jobs, labs }, null, 2)}\n`);
  process.exitCode = holds ? 0 : 1;
}

/** A line that comes and goes, for a person: a subject may take minutes. */
function showGoing(going: ReadonlyMap<string, string>): void {
  if (!process.stderr.isTTY || going.size === 0) return;
  process.stderr.write(`\r\u001b[K  … ${[...going.values()].join(', ')}`.slice(0, process.stderr.columns));
}

function clearGoing(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
}
