import type { Readable } from 'node:stream';
import { createEngineShell } from '../checks/engine-shell.ts';
import { createSandboxImages, judgingImages } from '../checks/index.ts';
import type { SandboxShell } from '../checks/index.ts';
import type { Engine, Progress, ResourceUse, SandboxLimits } from '../engines/engine.ts';
import type { Gateway } from '../gateway/index.ts';
import type { LayerKnowledge } from '../images/layer-memory.ts';
import type { Lab } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import type { LabResult } from '../protocol/index.ts';
import { newSessionId } from '../sessions/credentials.ts';
import { startSandbox } from '../sessions/start-sandbox.ts';
import { oversee } from './oversee.ts';
import { runChecksInTime } from './run-checks-in-time.ts';
import type { JudgeOptions } from './run-checks-in-time.ts';
import { packSubmission } from './submission.ts';
import { createTidier } from './tidy-engine.ts';
import type { Submission } from './submission.ts';

/** What it takes to make a grading sandbox. */
export interface GraderOptions {
  readonly engine: Engine;
  /** Reference of the sandbox image. */
  readonly image: string;
  /** Volume with the base images. */
  readonly storeVolume: string;
  /** Server id, for the label ballast.host. */
  readonly hostId: string;
  /** The server's own limits; the lab may change them. */
  readonly limits: SandboxLimits & {
    /** Most that a sandbox may take of the disk. */
    readonly diskBytes: number;
  };
  /** Longest wait for the sandbox to become ready, in ms. */
  readonly startTimeoutMs: number;
  /** The way out, for labs that have one. */
  readonly gateway: Gateway;
  /** What is known of layers by their digest, which is checked: base images are then read once for all submissions. */
  readonly knowledge: LayerKnowledge;
  readonly onStage?: Progress;
  /** Told at the end what the sandbox used. */
  readonly onUse?: (use: ResourceUse) => void;
  readonly signal?: AbortSignal;
}

/** Without a limit on the time, nobody asks whether it was fair. */
const never = 2 ** 31 - 1;

/** A fresh sandbox in which submissions of one lab are judged. */
export interface CleanRoom {
  /** Put the files in place of whatever is there, and judge them by what is built from them. */
  judge(files: Submission, options: JudgeOptions): Promise<LabResult>;
}

/**
 * Make a grading sandbox, use it, and remove it whatever happens.
 * @throws BallastError sandbox_failed when it does not start.
 */
export async function withCleanRoom<Result>(
  lab: Lab,
  options: GraderOptions,
  use: (room: CleanRoom) => Promise<Result>,
): Promise<Result> {
  const { engine, signal } = options;
  const session = newSessionId();
  const limits: SandboxLimits = {
    memoryBytes: lab.limits.memory ?? options.limits.memoryBytes,
    cpus: lab.limits.cpus ?? options.limits.cpus,
    pids: lab.limits.pids ?? options.limits.pids,
  };
  const { id } = await startSandbox(
    engine,
    {
      session,
      kind: 'grader',
      host: options.hostId,
      image: options.image,
      storeVolume: options.storeVolume,
      limits,
      network: 'none',
      // As in a learner's own sandbox: what a build step sees must not tell it that it is being graded.
      hostname: lab.id.slice(0, 63),
      env: {},
    },
    {
      timeoutMs: options.startTimeoutMs,
      lease: true,
      ...(options.onStage === undefined ? {} : { onStage: options.onStage }),
      ...(signal === undefined ? {} : { signal }),
    },
  );
  try {
    if (lab.network === 'packages' && options.gateway.enabled) {
      // What is refused stands in the output of the build that wanted it.
      await options.gateway.open(engine, id, { name: session, onRefused: () => undefined });
    }
    const shell = createEngineShell(engine, id);
    const labDir = `/home/learner/${lab.id}`;
    const tidy = createTidier(shell, signal);
    return await use({
      async judge(files, judging) {
        await tidy();
        await placeFiles(shell, labDir, files, signal);
        const context = {
          shell,
          images: judgingImages(createSandboxImages(shell, options.knowledge), lab.images),
          labDir,
          mode: 'clean-room',
        } as const;
        using overseer = oversee(
          { engine, id, shell, limits, diskBytes: options.limits.diskBytes },
          judging.timeoutMs ?? never,
        );
        return await runChecksInTime(lab, context, { ...judging, overseer }, signal);
      },
    });
  } finally {
    if (options.onUse !== undefined) {
      const use = await engine.resourceUse(id).catch(() => null);
      if (use !== null) options.onUse(use);
    }
    await engine.removeSandbox(id);
  }
}

async function placeFiles(
  shell: SandboxShell,
  labDir: string,
  files: Submission,
  signal: AbortSignal | undefined,
): Promise<void> {
  const run = async (argv: readonly string[], stdin?: Readable): Promise<void> => {
    const result = await shell.run(argv, {
      cwd: '/home/learner',
      ...(stdin === undefined ? {} : { stdin }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.exitCode === 0) return;
    throw new BallastError('grade_failed', {
      message: `The submission could not be copied into the sandbox: ${result.stderr.trim()}`,
    });
  };
  await run(['/usr/bin/rm', '--recursive', '--force', '--', labDir]);
  await run(['/usr/bin/mkdir', '--', labDir]);
  await run(
    ['/usr/bin/tar', '--extract', '--file=-', `--directory=${labDir}`, '--no-same-owner'],
    packSubmission(files),
  );
}
