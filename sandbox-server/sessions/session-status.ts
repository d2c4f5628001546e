import { BallastError, type ErrorBody } from '../protocol/index.ts';

/** Where a session stands. Only `ready` has a sandbox that can be used. */
export type SessionStatus =
  | { readonly kind: 'starting'; readonly stage: string; readonly progress: number }
  | { readonly kind: 'ready'; readonly sandboxId: string }
  | { readonly kind: 'failed'; readonly failure: ErrorBody }
  | { readonly kind: 'closed' };

const successors: Readonly<Record<SessionStatus['kind'], readonly SessionStatus['kind'][]>> = {
  starting: ['starting', 'ready', 'failed', 'closed'],
  // Back to starting by a reset; failed when the sandbox stopped by itself.
  ready: ['starting', 'failed', 'closed'],
  failed: ['starting', 'closed'],
  closed: [],
};

/**
 * The status after a change.
 * @throws BallastError internal when the one cannot follow the other: a bug of ours
 */
export function nextStatus(from: SessionStatus, to: SessionStatus): SessionStatus {
  if (successors[from.kind].includes(to.kind)) return to;
  throw new BallastError('internal', { message: `A session that is ${from.kind} cannot become ${to.kind}.` });
}
