import { readdirSync, readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pino } from 'pino';
import { parse as parseYaml } from 'yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkKinds, createSandboxImages, runChecks } from '../../sandbox-server/checks/index.ts';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { createGateway } from '../../sandbox-server/gateway/index.ts';
import { packSubmission, readSubmissionFolder } from '../../sandbox-server/grading/submission.ts';
import { loadLabs } from '../../sandbox-server/labs/index.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { readLessonBlocks } from '../../src/markdown/lesson-blocks.ts';
import { openSandbox, removeSandboxes } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';

const lessonsDir = join(projectRoot, 'src/content/lessons');
const lessons = readdirSync(lessonsDir)
  .filter((name) => name.endsWith('.mdx'))
  .map((name) => {
    const source = readFileSync(join(lessonsDir, name), 'utf8');
    const frontMatter: unknown = parseYaml(source.split('\n---\n')[0] ?? '');
    return { slug: basename(name, '.mdx'), source, lab: z.object({ lab: z.string() }).parse(frontMatter).lab };
  });

const host = newSessionId();
const home = mkdtempSync(join(tmpdir(), 'ballast-lessons-'));
const kinds = checkKinds();
const labs = await loadLabs(join(projectRoot, 'labs'), kinds);

afterAll(async () => {
  await removeSandboxes(await prepareBase(home), host);
  rmSync(home, { recursive: true, force: true });
});

describe.each(lessons)('lesson $slug', ({ source, lab: labId }) => {
  it('does in each block what it says, and leaves a lab that passes', async () => {
    const lab = labs.get(labId);
    if (lab === undefined) throw new Error(`The lesson names the lab "${labId}", which is missing.`);
    // Base images of a track are obtained when its lesson comes up; later runs have them.
    const base = await prepareBase(home, lab.images);
    const { id, shell } = await openSandbox(base, host);
    await using after = new AsyncDisposableStack();
    after.defer(() => base.engine.removeSandbox(id));
    if (lab.network === 'packages') {
      const gateway = createGateway(base.config, pino({ level: 'silent' }), () => base.prepared.store.registries);
      after.defer(() => gateway.close());
      await gateway.open(base.engine, id, { name: id, onRefused: () => undefined });
    }
    const labDir = `/home/learner/${lab.id}`;
    const stdin = packSubmission(await readSubmissionFolder(lab.startDir));
    await shell.run(['/usr/bin/mkdir', labDir]);
    await shell.run(['/usr/bin/tar', '--extract', `--directory=${labDir}`, '--touch'], { stdin });

    const wrong: string[] = [];
    for (const block of readLessonBlocks(source)) {
      if (block.kind === 'file') {
        const written = await shell.run(['/usr/bin/tee', block.file], { cwd: labDir, stdin: block.code });
        expect(written.exitCode, block.file).toBe(0);
        continue;
      }
      // As the terminal would: one shell, each line after the other; the first that fails decides.
      const ran = await shell.run(['/bin/bash', '-e', '-o', 'pipefail', '-c', block.code], {
        cwd: labDir,
        timeoutMs: 300_000,
      });
      if ((ran.exitCode !== 0) !== block.fails) {
        const said = `${ran.stdout}${ran.stderr}`.slice(-2000);
        wrong.push(`line ${String(block.line)}: exit code ${String(ran.exitCode)}\n${block.code}\n${said}`);
      }
    }
    expect(wrong).toEqual([]);

    const context = { shell, images: createSandboxImages(shell), labDir, mode: 'live' as const };
    const result = await runChecks(lab, context, { kinds });
    const notPassed = result.checks.filter(({ status }) => status !== 'pass');
    expect(notPassed).toEqual([]);
  });
});
