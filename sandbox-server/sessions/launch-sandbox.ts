import type { Engine, SandboxLimits, SandboxSpec } from '../engines/engine.ts';
import type { Session } from './session.ts';
import { copyStartFiles } from './start-files.ts';
import { startSandbox } from './start-sandbox.ts';

/** Of the way to a usable sandbox, what remains when its engine answers: the files still have to be copied. */
const progressOfEngine = 0.95;

/** What is the same for all sandboxes of a server. */
export interface SandboxSettings {
  readonly image: string;
  readonly storeVolume: string;
  readonly hostId: string;
  readonly limits: SandboxLimits;
  readonly startSeconds: number;
}

function specFor(session: Session, settings: SandboxSettings): SandboxSpec {
  const { memory, cpus, pids } = session.lab.limits;
  return {
    session: session.id,
    kind: 'sandbox',
    host: settings.hostId,
    image: settings.image,
    storeVolume: settings.storeVolume,
    limits: {
      memoryBytes: memory ?? settings.limits.memoryBytes,
      cpus: cpus ?? settings.limits.cpus,
      pids: pids ?? settings.limits.pids,
    },
    network: 'none',
    hostname: session.lab.id.slice(0, 63),
    env: {},
  };
}

export interface LaunchOptions {
  /** The data volume holds a learner's work: it must outlive a start that fails. */
  readonly keepData: boolean;
  /** Sandbox that must go first. */
  readonly replace?: string;
}

/**
 * Makes a session's sandbox, with the files of the lab in it; the session's status follows along.
 * @returns the engine's id of the sandbox
 * @throws BallastError sandbox_failed and what the engine says, after removing the sandbox; the reason of `signal`
 */
export async function launchSandbox(
  engine: Engine,
  session: Session,
  settings: SandboxSettings,
  { keepData, replace, signal }: LaunchOptions & { readonly signal: AbortSignal },
): Promise<string> {
  if (replace !== undefined) await engine.removeSandbox(replace, { keepData });
  signal.throwIfAborted();
  const { id } = await startSandbox(engine, specFor(session, settings), {
    timeoutMs: settings.startSeconds * 1000,
    keepData,
    signal,
    onStage: ({ text, fraction }) => {
      if (signal.aborted) return;
      const progress = Math.min(progressOfEngine, Math.max(0, fraction ?? 0));
      session.become({ kind: 'starting', stage: text, progress });
    },
  });
  try {
    await copyStartFiles(engine, id, session.lab.startDir, session.labDir, signal);
    signal.throwIfAborted();
  } catch (error) {
    await engine.removeSandbox(id, { keepData });
    throw error;
  }
  return id;
}
