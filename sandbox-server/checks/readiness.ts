import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { duration } from '../labs/quantities.ts';
import type { CheckContext } from './check-kind.ts';
import { ask } from './http-probe.ts';
import type { ListeningPort, ProbeContainer } from './probe-container.ts';
import { startHint } from './start-hints.ts';

/** Parameters that say when a container is ready: it answers on a port, or has printed something. */
export const readyParameters = {
  port: z.int().min(1).max(65_535).optional().describe('Port on which the service answers HTTP once it is ready.'),
  path: z.string().startsWith('/').default('/').describe('Path to ask for on that port.'),
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
  readonly log?: string | undefined;
  /** In ms. */
  readonly readyWithin: number;
}

const pollMs = 200;

/**
 * Wait for a container to become ready.
 * @returns what is wrong when no answer came in time, or undefined.
 */
export async function waitUntilReady(
  container: ProbeContainer,
  { image, port, path, log, readyWithin }: Readiness,
  context: CheckContext,
): Promise<{ actual: string; hint: string } | undefined> {
  const until = performance.now() + readyWithin;
  for (;;) {
    if (port !== undefined && (await ask(container.port, path, context)) !== undefined) return undefined;
    if (log !== undefined && (await container.log()).includes(log)) return undefined;
    const state = await container.state();
    if (state.status === 'exited') {
      const said = state.log === '' ? 'It printed nothing.' : `Its last lines:\n${state.log}`;
      const hint =
        startHint(state.log) ?? exitHint(state.exitCode) ?? `Try it in the terminal: docker run --rm ${image}`;
      return { actual: `The container ended by itself with exit code ${String(state.exitCode)}. ${said}`, hint };
    }
    if (performance.now() >= until) break;
    await delay(pollMs, undefined, { signal: context.signal });
  }
  const seconds = String(readyWithin / 1000);
  const printed = await container.log();
  const said = printed === '' ? '' : ` Its last lines:\n${printed}`;
  if (port === undefined) {
    const actual = `It had not printed ${JSON.stringify(log)} after ${seconds} seconds.${said}`;
    return { actual, hint: `Try it in the terminal: docker run --rm ${image}` };
  }
  return {
    actual: `No answer on port ${String(port)} within ${seconds} seconds, though the container runs.${said}`,
    hint: listeningHint(port, await container.listening()),
  };
}

function exitHint(exitCode: number): string | undefined {
  if (exitCode === 137) return 'It was killed, most likely because the sandbox ran out of memory.';
  if (exitCode === 0)
    return 'It ended without an error: the program that the image starts is not the service, or does not keep running.';
  return undefined;
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
