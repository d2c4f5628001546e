import { checkKinds } from '../checks/kinds/index.ts';
import { formatProof, verifyLab } from '../grading/index.ts';
import { findLab, graderOptions, prepareFor } from './prepare-for.ts';

/** `ballast verify [LAB…]`: prove each lab; exit status 1 when a proof does not hold. */
export async function verify(ids: readonly string[]): Promise<void> {
  const environment = await prepareFor({
    withSite: false,
    onLabs: (labs) => {
      for (const id of ids) findLab(labs, id);
    },
  });
  let problems = 0;
  for (const lab of environment.labs.values()) {
    if (ids.length > 0 && !ids.includes(lab.id)) continue;
    process.stdout.write(`${lab.id}\n`);
    await verifyLab(lab, {
      ...graderOptions(environment),
      kinds: checkKinds(),
      onProof: (proof) => {
        if (proof.problem !== '') problems += 1;
        process.stdout.write(formatProof(proof, { color: process.stdout.isTTY }));
      },
      onError: (id, error) => process.stderr.write(`  check ${id}: ${String(error)}\n`),
    });
  }
  process.exitCode = problems === 0 ? 0 : 1;
}
