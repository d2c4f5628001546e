import { BallastError, type ErrorCode } from '../protocol/index.ts';
import type { PullSource } from './pull-source.ts';
import type { ImagesPolicy } from './registry-settings.ts';

type PullFailureKind =
  | 'unreachable'
  | 'untrusted'
  | 'plain-http'
  | 'denied'
  | 'missing'
  | 'rate-limited'
  | 'unavailable'
  | 'cut'
  | 'disk-full'
  | 'failed';

/** Why an image could not be pulled. */
export interface PullFailure {
  readonly kind: PullFailureKind;
  /** What the registry or the engine said, in one line. */
  readonly detail: string;
  /** Only of a registry that limits the rate, where it says so. */
  readonly retryAfterSeconds?: number;
}

/** In this order: a message may fit several, and the first is the most telling. */
const signs: readonly (readonly [RegExp, PullFailureKind])[] = [
  [/no space left on device|disk quota exceeded/i, 'disk-full'],
  [/toomanyrequests|too many requests|\b429\b|rate limit/i, 'rate-limited'],
  [/server gave HTTP response to HTTPS client/i, 'plain-http'],
  [/x509: |certificate signed by unknown|certificate verify failed|SSL certificate problem/i, 'untrusted'],
  [/unauthorized|\bdenied\b|authentication required|basic auth|no basic|\b40[13]\b/i, 'denied'],
  [
    /manifest unknown|name unknown|manifest for .* not found|no matching manifest|does not exist|: not found/i,
    'missing',
  ],
  [/no such host|connection refused|i\/o timeout|network is unreachable|no route to host/i, 'unreachable'],
  [/Client\.Timeout|deadline exceeded|TLS handshake timeout|dial tcp|server misbehaving/i, 'unreachable'],
  [/unexpected EOF|\bEOF\b|connection reset|broken pipe|closed network connection|short read|ShortRead/i, 'cut'],
  [/\b50\d\b|internal server error|bad gateway|service unavailable|received unexpected HTTP status: 5/i, 'unavailable'],
];

const inOneLine = (text: string): string => text.replaceAll(/\p{Cc}+/gu, ' ').trim();

/** What kind of failure an engine's or a client's message tells of. */
export function classifyPullText(text: string): PullFailure {
  const kind = signs.find(([sign]) => sign.test(text))?.[1] ?? 'failed';
  return { kind, detail: inOneLine(text).slice(-300) };
}

/** Seconds of a Retry-After header: a number, or a date. Undefined when it says neither. */
export function retryAfterSeconds(value: string | undefined, now = Date.now()): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now) / 1000));
}

/** What kind of failure an HTTP status of a registry tells of; null for success. */
export function classifyStatus(status: number, retryAfter: string | undefined): PullFailure | null {
  if (status >= 200 && status < 400) return null;
  const detail = `it answered with HTTP status ${String(status)}`;
  if (status === 401 || status === 403) return { kind: 'denied', detail };
  if (status === 404) return { kind: 'missing', detail };
  if (status === 429) {
    const seconds = retryAfterSeconds(retryAfter);
    return { kind: 'rate-limited', detail, ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }) };
  }
  return { kind: status >= 500 ? 'unavailable' : 'failed', detail };
}

/** Failures that concern every image of a registry: it need not be asked again. */
export function concernsRegistry({ kind }: PullFailure): boolean {
  return ['unreachable', 'untrusted', 'plain-http', 'rate-limited'].includes(kind);
}

/** For the learner's and the operator's eyes: what happened, and what to do about it. */
function explain(failure: PullFailure, source: PullSource): { code: ErrorCode; message: string; hint: string } {
  const { host, registry, ref, auth } = source;
  const key = `registries.${registry}`;
  switch (failure.kind) {
    case 'unreachable':
      return {
        code: 'registry_unreachable',
        message: `${host} does not answer`,
        hint: `Connect to the network, or name a mirror that can be reached: ${key}.mirror in ballast.yaml.`,
      };
    case 'untrusted':
      return {
        code: 'registry_untrusted',
        message: `The certificate of ${host} comes from an authority that is not trusted here`,
        hint: 'Where the network inspects TLS, or the mirror has a certificate of its own authority: set BALLAST_EXTRA_CA to a PEM file with it.',
      };
    case 'plain-http':
      return {
        code: 'registry_untrusted',
        message: `${host} speaks plain HTTP`,
        hint: `Set ${key}.insecure to true; for the base of the sandbox image, the host's own engine must list ${host} among its "insecure-registries" too.`,
      };
    case 'denied':
      return {
        code: 'registry_denied',
        message:
          auth === undefined
            ? `${host} does not give ${ref} to everybody`
            : `${host} refuses the credentials for ${ref}`,
        hint:
          auth === undefined
            ? `Name credentials: ${key}.auth in ballast.yaml.`
            : `Correct ${key}.auth: the user name, and the secret in the file that it names.`,
      };
    case 'missing':
      return {
        code: 'images_missing',
        message: `${host} does not have ${ref}`,
        hint: source.mirrored
          ? `Copy it to the mirror as ${source.pullRef}, or correct ${key}.mirror.`
          : 'Check the reference in the lab.',
      };
    case 'rate-limited':
      return {
        code: 'registry_rate_limited',
        message: `${host} limits the rate, for longer than ${String(source.waitSeconds)} s`,
        hint: `Try again later, name credentials (${key}.auth), wait longer (${key}.waitSeconds) or name a mirror (${key}.mirror).`,
      };
    case 'disk-full':
      return {
        code: 'disk_full',
        message: `The disk is full: ${ref} could not be stored`,
        hint: 'Free some space ("docker system df" shows what the engine uses), then try again.',
      };
    case 'cut':
      return {
        code: 'registry_failed',
        message: `The connection to ${host} broke again and again`,
        hint: 'Try again: images that have arrived whole are kept.',
      };
    case 'unavailable':
    case 'failed':
      return { code: 'registry_failed', message: `${host} could not deliver ${ref}`, hint: 'Try again later.' };
  }
}

/** One sentence on why an image was not pulled. */
export function reasonOf(failure: PullFailure, source: PullSource): string {
  const { message } = explain(failure, source);
  return `${message} (${failure.detail})`;
}

/** The failure as an error with its code and hint. */
export function pullError(failure: PullFailure, source: PullSource): BallastError {
  const { code, hint } = explain(failure, source);
  return new BallastError(code, { message: `${source.ref} cannot be pulled. ${reasonOf(failure, source)}.`, hint });
}

/**
 * Whether to build an equivalent of an image that cannot be pulled. Not where the operator wants the official one, where
 * the credentials that the operator named are refused (a mistake that must not go unseen), or where nothing can be stored.
 */
export function fallsBack(policy: ImagesPolicy, failure: PullFailure, source: PullSource): boolean {
  if (policy === 'pull' || failure.kind === 'disk-full') return false;
  return !(failure.kind === 'denied' && source.auth !== undefined);
}
