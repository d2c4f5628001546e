import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { checkKinds } from '../../sandbox-server/checks/index.ts';
import { bearableJobs, formatProof, verifyLab } from '../../sandbox-server/grading/index.ts';
import { loadLabs } from '../../sandbox-server/labs/index.ts';
import { graderOf } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';

const labs = await loadLabs(fileURLToPath(new URL('../../labs', import.meta.url)), checkKinds());
const home = mkdtempSync(join(tmpdir(), 'ballast-labs-'));

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

describe.each([...labs.values()])('lab $id', (lab) => {
  it('fails its starter, passes its solution, and catches each wrong case by the checks that it names', async () => {
    // Base images of a track are obtained when its lab comes up; later runs have them.
    const base = await prepareBase(home, lab.images);
    const jobs = bearableJobs(base.config.sandbox.memoryBytes);
    const proofs = await verifyLab(lab, { ...graderOf(base, 'labs-test'), kinds: base.kinds, jobs });
    const broken = proofs.filter(({ problem }) => problem !== '');
    expect(broken.map((proof) => formatProof(proof, { color: false }))).toEqual([]);
    expect(proofs).toHaveLength(2 + lab.wrongCases.length);
  });
});
