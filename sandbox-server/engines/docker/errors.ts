import { BallastError, type ErrorCode } from '../../protocol/index.ts';

/** What dockerode rejects with: a socket error, or an HTTP answer with its status. */
interface DockerFailure {
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly json?: unknown;
  readonly message?: unknown;
}

const missingCodes = new Set([
  'ENOENT',
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
]);
const deniedCodes = new Set(['EACCES', 'EPERM']);

function engineText(failure: DockerFailure): string {
  const body = failure.json;
  if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string')
    return body.message;
  return typeof failure.message === 'string' ? failure.message.trim() : 'unknown failure';
}

function codeOf(failure: DockerFailure, text: string): ErrorCode {
  if (typeof failure.code === 'string') {
    if (missingCodes.has(failure.code)) return 'engine_missing';
    if (deniedCodes.has(failure.code)) return 'engine_denied';
    if (failure.code === 'ENOSPC') return 'disk_full';
  }
  if (/no space left on device|disk quota exceeded/i.test(text)) return 'disk_full';
  if (failure.statusCode === 404 && /no such image|image .*not found/i.test(text)) return 'image_not_found';
  if (/manifest (for .* )?(unknown|not found)|pull access denied|repository does not exist/i.test(text))
    return 'image_not_found';
  return 'engine_failed';
}

/**
 * Turn whatever the Docker client threw into a BallastError.
 * @param doing what was being done, for the message: "create the sandbox".
 */
export function toBallastError(cause: unknown, doing: string): BallastError {
  if (cause instanceof BallastError) return cause;
  const failure: DockerFailure = typeof cause === 'object' && cause !== null ? cause : { message: String(cause) };
  const text = engineText(failure);
  return new BallastError(codeOf(failure, text), { message: `Could not ${doing}: ${text}`, cause });
}

/** Whether the engine answered that the thing asked for does not exist. */
export function isNotFound(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'statusCode' in cause && cause.statusCode === 404;
}

/** Whether the engine answered that something stands in the way: a name that is taken, a removal under way. */
export function isConflict(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'statusCode' in cause && cause.statusCode === 409;
}

/** Run a call to the engine; its failures come out as BallastError. */
export async function engineCall<Result>(doing: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (cause) {
    throw toBallastError(cause, doing);
  }
}

/** As `engineCall`, but null when the engine says that there is no such thing. */
export async function engineLookup<Result>(doing: string, call: () => Promise<Result>): Promise<Result | null> {
  try {
    return await call();
  } catch (cause) {
    if (isNotFound(cause)) return null;
    throw toBallastError(cause, doing);
  }
}
