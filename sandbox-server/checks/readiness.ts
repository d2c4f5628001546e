import { z } from 'zod';
import { duration } from '../labs/quantities.ts';
import type { CheckContext } from './check-kind.ts';
import { lookInFairTime } from './fair-share.ts';
import { ask } from './http-probe.ts';
import type { Answer } from './http-probe.ts';
import type { ListeningPort, ProbeContainer, ProbeState } from './probe-container.ts';
import { judgeOwedProof } from './source-proof.ts';
import { startHint } from './start-hints.ts';

/** Parameters that say when a container is ready: it answers on a port, or has printed something. */
export const readyParameters = {
  port: z.int().min(1).max(65_535).optional().describe('Port on which the service answers HTTP once it is ready.'),
  path: z.string().startsWith('/').default('/').describe('Path to ask for on that port.'),
  status: z
    .int()
    .min(100)
    .max(599)
    .optional()
    .describe('Status of the answer by which it is ready; any below 400 when left out.'),
  log: z.string().min(1).optional().describe('Text that the program prints once it is ready, where it serves no HTTP.'),
  readyWithin: duration.prefault('10s').describe('Time from the start until it is ready.'),
};

/** A refinement of schemas with `readyParameters`. */
export const oneOfPortAndLog = ({ port, log }: { port?: number | undefined; log?: string | undefined }): boolean =>
  (port === undefined) !== (log === undefined);
export const oneOfPortAndLogMessage = 'name either port or log, by which to tell that it is ready';

interface Readiness {
  readonly image: string;
  readonly port?: number | undefined;
  readonly path: string;
  /** Any answer will do, where it is judged afterwards. */
  readonly status?: number | 'any' | undefined;
  readonly log?: string | undefined;
  /** In ms. */
  readonly readyWithin: number;
}

/** What is wrong with a container, and what to do about it. */
export interface Wrong {
  readonly actual: string;
  readonly hint: string;
}

export type Ready =
  | { readonly ready: true; /** Time that it took, in words. */ readonly after: string }
  | ({ readonly ready: false } & Wrong);

const pollMs = 200;

/**
 * Wait for a container to become ready.
 * @throws BallastError host_busy when it is not, and others had the machine meanwhile
 */
export async function waitUntilReady(
  container: ProbeContainer,
  readiness: Readiness,
  context: CheckContext,
): Promise<Ready> {
  const { image, port, path, log, readyWithin } = readiness;
  const began = performance.now();
  let last: Answer | undefined;
  const found = await lookInFairTime<'ready' | Wrong>(context, { limitMs: readyWithin, pollMs }, async () => {
    if (port !== undefined) last = (await ask(container.port, path, context)) ?? last;
    if (last !== undefined && isWanted(last.status, readiness.status)) return 'ready';
    if (log !== undefined && (await container.log()).includes(log)) return 'ready';
    const state = await container.state();
    return state.status === 'exited' ? describeEnd(container, state, image) : undefined;
  });
  if (found === 'ready') {
    const after = `${((performance.now() - began) / 1000).toFixed(1)} seconds`;
    const wrong = port === undefined ? undefined : await judgeOwedProof(image, container, context);
    return wrong === undefined ? { ready: true, after } : { ready: false, ...wrong };
  }
  if (found !== undefined) return { ready: false, ...found };
  const seconds = String(readyWithin / 1000);
  const said = printed(await container.log());
  if (port === undefined) {
    const actual = `It had not printed ${JSON.stringify(log)} after ${seconds} seconds.${said}`;
    return { ready: false, actual, hint: tryIt(image) };
  }
  if (last !== undefined) {
    const wanted = typeof readiness.status === 'number' ? String(readiness.status) : 'a status below 400';
    return {
      ready: false,
      actual: `After ${seconds} seconds GET ${path} was still answered with ${String(last.status)} instead of ${wanted}.${said}`,
      hint: tryIt(image),
    };
  }
  return {
    ready: false,
    actual: `No answer on port ${String(port)} within ${seconds} seconds, though the container runs.${said}`,
    hint: listeningHint(port, await container.listening()),
  };
}

/** Whether an answer's status is the one that is waited for. */
export function isWanted(status: number, wanted: number | 'any' | undefined): boolean {
  if (wanted === 'any') return true;
  return wanted === undefined ? status < 400 : status === wanted;
}

/** What a container that ended although it should go on says about it. */
export async function describeEnd(
  container: Pick<ProbeContainer, 'ranOutOfMemory'>,
  { exitCode, log }: Extract<ProbeState, { status: 'exited' }>,
  image: string,
): Promise<Wrong> {
  const said = log === '' ? ' It printed nothing.' : printed(log);
  const hint = startHint(log) ?? (await exitHint(container, exitCode)) ?? tryIt(image);
  return { actual: `The container ended by itself with exit code ${String(exitCode)}.${said}`, hint };
}

/** Last lines of a container, to be put after a sentence. */
export const printed = (log: string): string => (log === '' ? '' : ` Its last lines:\n${log}`);

const tryIt = (image: string): string => `Try it in the terminal: docker run --rm ${image}`;

async function exitHint(
  container: Pick<ProbeContainer, 'ranOutOfMemory'>,
  exitCode: number,
): Promise<string | undefined> {
  if (exitCode === 137) return killedHint(await container.ranOutOfMemory());
  if (exitCode === 0)
    return 'It ended without an error: the program that the image starts is not the service, or does not keep running.';
  return undefined;
}

/** What to say of exit code 137. @param outOfMemory undefined when it can't be told */
export function killedHint(outOfMemory: boolean | undefined): string {
  if (outOfMemory === undefined) return 'It was killed, most likely because the sandbox ran out of memory.';
  return outOfMemory
    ? 'It was killed because the sandbox ran out of memory: "free -m" shows how much there is. Let the program take less.'
    : 'It got SIGKILL, and the sandbox was not short of memory: something in the container sent it, or the program ended with 137 itself.';
}

/** What the ports that a container listens on say about the one that is silent. */
export function listeningHint(port: number, listening: readonly ListeningPort[]): string {
  const same = listening.find((other) => other.port === port);
  if (same?.loopbackOnly === true) {
    return `It listens on ${String(port)}, but only on 127.0.0.1 inside the container, where nobody else can reach it. Listen on all addresses: ":${String(port)}".`;
  }
  if (same !== undefined) return `Something listens on port ${String(port)}, but does not speak HTTP.`;
  if (listening.length === 0) return 'Nothing in the container listens on any port.';
  const ports = listening.map((other) => String(other.port)).join(', ');
  return `The container listens on ${ports}, not on ${String(port)}. Mind that EXPOSE only documents a port; the program decides.`;
}
