import { availableParallelism, freemem } from 'node:os';
import { checkKinds } from '../checks/kinds/index.ts';
import type { Config } from '../config.ts';
import { formatProof, verifyLab } from '../grading/index.ts';
import { findLab, graderOptions, prepareFor } from './prepare-for.ts';

/**
 * Grading sandboxes that this machine bears at once: builds keep more than one core busy, and each sandbox may fill its
 * memory.
 */
const jobsFor = ({ sandbox }: Config): number =>
  Math.max(1, Math.min(Math.ceil(availableParallelism() / 2), Math.floor(freemem() / sandbox.memoryBytes)));

/** `ballast verify [LAB…]`: prove each lab; exit status 1 when a proof does not hold. */
export async function verify(ids: readonly string[], options: { readonly jobs?: number }): Promise<void> {
  const environment = await prepareFor({
    withSite: false,
    onLabs: (labs) => (ids.length === 0 ? [...labs.values()] : ids.map((id) => findLab(labs, id))),
  });
  const jobs = options.jobs ?? jobsFor(environment.config);
  const grader = graderOptions(environment);
  let problems = 0;
  for (const lab of environment.labs.values()) {
    if (ids.length > 0 && !ids.includes(lab.id)) continue;
    process.stdout.write(`${lab.id}\n`);
    await verifyLab(lab, {
      ...grader,
      jobs,
      kinds: checkKinds(),
      onProof: (proof) => {
        if (proof.problem !== '') problems += 1;
        process.stdout.write(formatProof(proof, { color: process.stdout.isTTY }));
      },
      onError: (id, error, errorId) => process.stderr.write(`  check ${id} (${errorId}): ${String(error)}\n`),
    });
  }
  process.exitCode = problems === 0 ? 0 : 1;
}
