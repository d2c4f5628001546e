import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { expect } from 'vitest';
import { createEngineShell } from '../../sandbox-server/checks/engine-shell.ts';
import type { SandboxShell } from '../../sandbox-server/checks/index.ts';
import { gradeSubmission, type GraderOptions } from '../../sandbox-server/grading/index.ts';
import {
  overlay,
  packSubmission,
  readSubmissionFolder,
  readSubmissionTar,
} from '../../sandbox-server/grading/submission.ts';
import type { Submission } from '../../sandbox-server/grading/submission.ts';
import type { Lab } from '../../sandbox-server/labs/index.ts';
import type { LabResult } from '../../sandbox-server/protocol/index.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { startSandbox } from '../../sandbox-server/sessions/start-sandbox.ts';
import { graderOf } from './clean-room.ts';
import { prepareBase } from './server.ts';
import type { Base } from './server.ts';

/** Where the lab's files lie in a sandbox. */
export const labDir = '/home/learner/multi-stage-go';

/** An answer that is built in a moment, and runs as root. */
export const asRoot = 'FROM golang:1.24\nCMD ["true"]\n';

/** What tests of cheating share: a lab, its grader, and learners' own sandboxes. */
export interface Cheats extends AsyncDisposable {
  readonly base: Base;
  /** Label ballast.host of all its sandboxes. */
  readonly host: string;
  readonly home: string;
  /** The lab multi-stage-go without the checks that build it twice more, and judge the Dockerfile and not the image. */
  readonly lab: Lab;
  grader(): GraderOptions;
  /** The lab with only some of its checks, its build without the proof that takes a second one. */
  only(...ids: readonly string[]): Lab;
  /** The start files with others laid over them. */
  over(files: Readonly<Record<string, string | Buffer>>): Promise<Submission>;
  grade(files: Submission, graded?: Lab): Promise<LabResult>;
  /** A learner's own sandbox, with the files of the lab. */
  startLive(): Promise<SandboxShell>;
}

/** @param host a name of its own for each file of tests */
export async function openCheats(host: string): Promise<Cheats> {
  const home = mkdtempSync(join(tmpdir(), 'ballast-cheating-'));
  const base = await prepareBase(home);
  const found = base.labs.get('multi-stage-go');
  if (found === undefined) throw new Error('The lab multi-stage-go is missing.');
  const lab = { ...found, checks: found.checks.filter(({ kind }) => kind !== 'test-stage' && kind !== 'cache') };
  const start = await readSubmissionFolder(lab.startDir);
  const grader = (): GraderOptions => graderOf(base, host);
  return {
    base,
    host,
    home,
    lab,
    grader,
    only: (...ids) => ({
      ...lab,
      protected: [],
      checks: lab.checks
        .filter(({ id }) => ids.includes(id))
        .map((check) => (check.id === 'image-built' ? { ...check, with: { image: 'greeter' } } : check)),
    }),
    async over(files) {
      const archive = pack();
      for (const [name, content] of Object.entries(files)) archive.entry({ name, mode: 0o755 }, content);
      archive.finalize();
      return overlay(start, await readSubmissionTar(Readable.from(archive, { objectMode: false })));
    },
    grade: (files, graded = lab) =>
      gradeSubmission(graded, { tar: packSubmission(files) }, { ...grader(), kinds: base.kinds }),
    async startLive() {
      const { engine, image, storeVolume, limits, startTimeoutMs } = grader();
      const spec = { session: newSessionId(), host, image, storeVolume, limits, hostname: lab.id, env: {} } as const;
      const { id } = await startSandbox(
        engine,
        { ...spec, kind: 'sandbox', network: 'none' },
        { timeoutMs: startTimeoutMs },
      );
      const live = createEngineShell(engine, id);
      await inLive(live, 'mkdir -p multi-stage-go');
      const tar = ['/usr/bin/tar', '--extract', `--directory=${labDir}`];
      await live.run(tar, { stdin: packSubmission(start) });
      return live;
    },
    async [Symbol.asyncDispose]() {
      for (const { id } of await base.engine.listSandboxes({ 'ballast.host': host }))
        await base.engine.removeSandbox(id);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Runs a script as the learner, which must succeed, and gives what it printed. */
export async function inLive(live: SandboxShell, script: string, stdin = ''): Promise<string> {
  const result = await live.run(['/bin/bash', '-c', script], { cwd: '/home/learner', stdin, timeoutMs: 150_000 });
  expect(result, script).toMatchObject({ exitCode: 0 });
  return result.stdout;
}
