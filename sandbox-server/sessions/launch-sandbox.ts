import type { Engine, SandboxLimits, SandboxSpec } from '../engines/engine.ts';
import type { Lab } from '../labs/index.ts';
import type { Session } from './session.ts';
import { dropOutfit, startOutfitted, type OutfittedSandbox } from './outfit.ts';

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

/** All sandboxes have the same name for themselves: one that waits in the pool knows no lab. */
const hostname = 'ballast';

function limitsFor(lab: Lab, { limits }: SandboxSettings): SandboxLimits {
  const { memory, cpus, pids } = lab.limits;
  return {
    memoryBytes: memory ?? limits.memoryBytes,
    cpus: cpus ?? limits.cpus,
    pids: pids ?? limits.pids,
  };
}

/** The sandbox that most labs get, and that waits in the pool. */
export function commonSpec(berth: string, settings: SandboxSettings): SandboxSpec {
  return {
    session: berth,
    kind: 'sandbox',
    host: settings.hostId,
    image: settings.image,
    storeVolume: settings.storeVolume,
    limits: settings.limits,
    network: 'none',
    hostname,
    env: {},
  };
}

/** Whether a lab gets just that. */
export function isCommon(lab: Lab, settings: SandboxSettings): boolean {
  const { memoryBytes, cpus, pids } = limitsFor(lab, settings);
  const { limits } = settings;
  return memoryBytes === limits.memoryBytes && cpus === limits.cpus && pids === limits.pids;
}

export interface LaunchOptions {
  /** The data volume holds a learner's work: it must outlive a start that fails. */
  readonly keepData: boolean;
  /** Sandbox that must go first. */
  readonly replace?: string;
}

/**
 * Makes a session's sandbox, fitted out for its lab; the session's status follows along.
 * @param options.fitOut once the sandbox is there
 * @returns the engine's id of the sandbox
 * @throws BallastError sandbox_failed and what the engine says, after removing the sandbox; the reason of `signal`
 */
export async function launchSandbox(
  engine: Engine,
  session: Session,
  settings: SandboxSettings,
  options: LaunchOptions & { readonly signal: AbortSignal; fitOut(sandbox: OutfittedSandbox): Promise<void> },
): Promise<string> {
  const { keepData, replace, signal } = options;
  if (replace !== undefined) await engine.removeSandbox(replace, { keepData });
  signal.throwIfAborted();
  const spec = { ...commonSpec(session.berth, settings), limits: limitsFor(session.lab, settings) };
  const sandbox = await startOutfitted(engine, spec, {
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
    await options.fitOut(sandbox);
    signal.throwIfAborted();
  } catch (error) {
    dropOutfit(sandbox);
    await engine.removeSandbox(sandbox.id, { keepData });
    throw error;
  }
  return sandbox.id;
}
