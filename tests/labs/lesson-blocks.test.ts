import { readdirSync, readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pino } from 'pino';
import { parse as parseYaml } from 'yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkKinds, createSandboxImages, runChecks } from '../../sandbox-server/checks/index.ts';
import type { SandboxShell, Verdict } from '../../sandbox-server/checks/index.ts';
import { projectRoot } from '../../sandbox-server/cli/project.ts';
import { createGateway } from '../../sandbox-server/gateway/index.ts';
import { packSubmission, readSubmissionFolder } from '../../sandbox-server/grading/submission.ts';
import { loadLabs } from '../../sandbox-server/labs/index.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { readLessonBlocks, splitLastCommand } from '../../src/markdown/lesson-blocks.ts';
import { openSandbox, removeSandboxes } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';

const frontMatterSchema = z.object({
  lab: z.string(),
  stepChecks: z.record(z.string(), z.array(z.string())).default({}),
});

const lessonsDir = join(projectRoot, 'src/content/lessons');
const lessons = readdirSync(lessonsDir)
  .filter((name) => name.endsWith('.mdx'))
  .map((name) => {
    const source = readFileSync(join(lessonsDir, name), 'utf8');
    const frontMatter: unknown = parseYaml(source.split('\n---\n')[0] ?? '');
    return { slug: basename(name, '.mdx'), source, ...frontMatterSchema.parse(frontMatter) };
  });

const host = newSessionId();
const home = mkdtempSync(join(tmpdir(), 'ballast-lessons-'));
const kinds = checkKinds();
const labs = await loadLabs(join(projectRoot, 'labs'), kinds);

afterAll(async () => {
  await removeSandboxes(await prepareBase(home), host);
  rmSync(home, { recursive: true, force: true });
});

/** As the terminal would: one shell, each line after the other; the first that fails decides. */
const bash = (shell: SandboxShell, labDir: string, code: string) =>
  shell.run(['/bin/bash', '-e', '-o', 'pipefail', '-c', code], { cwd: labDir, timeoutMs: 300_000 });

/**
 * Runs a block that is shown failing. It is the last program that must fail: what comes before only leads there, and
 * an end on the way would show something else than the lesson says.
 * @returns what is wrong, if anything
 */
async function runFailing(shell: SandboxShell, labDir: string, code: string): Promise<string | undefined> {
  const { before, last } = splitLastCommand(code);
  const ran = await bash(shell, labDir, `${before}set +e\n${last}echo "ended: \${PIPESTATUS[*]}" >&2\n`);
  const said = `${ran.stdout}${ran.stderr}`.slice(-2000);
  const ended = /^ended: ([\d ]+)$/m.exec(ran.stderr)?.[1]?.split(' ').map(Number);
  if (ended === undefined) return `ended before its last command, with ${String(ran.exitCode)}\n${code}\n${said}`;
  if (ended.at(-1) === 0) return `did not fail\n${code}\n${said}`;
  if (ended.slice(0, -1).some((exitCode) => exitCode !== 0))
    return `failed at the beginning of its last pipeline\n${code}\n${said}`;
  return undefined;
}

describe.each(lessons)('lesson $slug', ({ source, lab: labId, stepChecks }) => {
  it('does in each block what it says, completes its steps where they stand, and leaves a lab that passes', async () => {
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

    // As a live session has it: what passed and has not changed since isn't judged again.
    const remembered = new Map<string, Verdict>();
    const context = { shell, images: createSandboxImages(shell), labDir, mode: 'live' as const, remembered };
    const notPassed = async (ids?: readonly string[]) => {
      const { checks } = await runChecks(lab, context, { kinds, ...(ids === undefined ? {} : { ids }) });
      return checks.filter(({ status }) => status !== 'pass');
    };

    const wrong: string[] = [];
    const ended = new Set<string>();
    let step = '';
    const endStep = async (): Promise<void> => {
      const ids = stepChecks[step];
      if (ids === undefined) return;
      ended.add(step);
      for (const check of await notPassed(ids))
        wrong.push(`step "${step}": ${check.id}: ${check.status}: ${check.actual}`);
    };
    for (const block of readLessonBlocks(source)) {
      if (block.kind === 'step') {
        await endStep();
        step = block.title;
        continue;
      }
      if (block.kind === 'file') {
        const written = await shell.run(['/usr/bin/tee', block.file], { cwd: labDir, stdin: block.code });
        expect(written.exitCode, block.file).toBe(0);
        continue;
      }
      if (block.fails) {
        const problem = await runFailing(shell, labDir, block.code);
        if (problem !== undefined) wrong.push(`line ${String(block.line)}: ${problem}`);
        continue;
      }
      const ran = await bash(shell, labDir, block.code);
      if (ran.exitCode !== 0) {
        const said = `${ran.stdout}${ran.stderr}`.slice(-2000);
        wrong.push(`line ${String(block.line)}: exit code ${String(ran.exitCode)}\n${block.code}\n${said}`);
      }
    }
    await endStep();
    expect(wrong).toEqual([]);
    expect([...ended]).toEqual(expect.arrayContaining(Object.keys(stepChecks)));

    expect(await notPassed()).toEqual([]);
  });
});
