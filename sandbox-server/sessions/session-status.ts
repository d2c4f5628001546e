import { BallastError, type ErrorBody } from '../protocol/index.ts';

/** Waits for its turn: there is no sandbox yet, and no clock runs. */
export interface Queued {
  readonly kind: 'queued';
  /** 1 is next. */
  readonly position: number;
  /** An honest guess, in seconds; null when nothing tells. */
  readonly waitSeconds: number | null;
}

export interface Starting {
  readonly kind: 'starting';
  readonly stage: string;
  /** 0..1 */
  readonly progress: number;
}

/** In use. */
export interface Ready {
  readonly kind: 'ready';
  readonly sandboxId: string;
}

/** Nobody has done anything for a while. */
export interface Idle {
  readonly kind: 'idle';
  readonly sandboxId: string;
}

/** Ends soon: its time is up, or nobody has done anything for long. */
export interface Expiring {
  readonly kind: 'expiring';
  readonly sandboxId: string;
  readonly reason: 'time' | 'idle';
  readonly endsAt: Date;
}

export interface Failed {
  readonly kind: 'failed';
  readonly failure: ErrorBody;
}

export interface Closed {
  readonly kind: 'closed';
  /** What became of it, in words for the learner; empty when there is nothing to say. */
  readonly farewell: string;
}

/** The states that have a sandbox which can be used, and they alone know its id. */
export type Live = Ready | Idle | Expiring;

/** Where a session stands. */
export type SessionStatus = Queued | Starting | Live | Failed | Closed;

const afterLive = ['ready', 'idle', 'expiring', 'starting', 'failed', 'closed'] as const;

const successors: Readonly<Record<SessionStatus['kind'], readonly SessionStatus['kind'][]>> = {
  queued: ['queued', 'starting', 'failed', 'closed'],
  starting: ['starting', 'ready', 'failed', 'closed'],
  // Back to starting by a reset; failed when the sandbox stopped by itself.
  ready: afterLive,
  idle: afterLive,
  expiring: afterLive,
  failed: ['starting', 'closed'],
  closed: [],
};

/** Whether the session has a sandbox that can be used. */
export function isLive(status: SessionStatus): status is Live {
  return status.kind === 'ready' || status.kind === 'idle' || status.kind === 'expiring';
}

/**
 * The status after a change.
 * @throws BallastError internal when the one cannot follow the other: a bug of ours
 */
export function nextStatus(from: SessionStatus, to: SessionStatus): SessionStatus {
  const otherSandbox = isLive(from) && isLive(to) && from.sandboxId !== to.sandboxId;
  if (successors[from.kind].includes(to.kind) && !otherSandbox) return to;
  throw new BallastError('internal', { message: `A session that is ${from.kind} cannot become ${to.kind}.` });
}
