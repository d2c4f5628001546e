import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { duration } from '../../labs/quantities.ts';
import type { CheckContext, CheckKind, Verdict } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';
import { withProbeContainer } from '../probe-container.ts';
import type { ListeningPort, ProbeContainer } from '../probe-container.ts';
import { startHint } from '../start-hints.ts';

const request = z.strictObject({
  path: z.string().startsWith('/'),
  status: z.int().min(100).max(599).default(200),
  body: z.string().optional().describe('The whole body, but for white space at its ends.'),
  contains: z.string().optional().describe('Text that the body holds.'),
});
type Request = z.output<typeof request>;

const schema = z.strictObject({
  image: imageParameter,
  port: z.int().min(1).max(65_535).describe('Port that the service listens on inside the container.'),
  requests: z.array(request).min(1),
  readyWithin: duration.prefault('10s').describe('Time from the start to the first answer.'),
});
type Parameters = z.output<typeof schema>;

/** Runs the image in the sandbox's own engine and asks it: how it was built does not matter, only how it behaves. */
export const servesHttp: CheckKind<Parameters> = {
  name: 'serves-http',
  summary: 'A container of the image answers HTTP requests as it should.',
  schema,
  timeoutMs: 120_000,
  async run(parameters, context) {
    const { image, port, requests } = parameters;
    const asked = requests.map(({ path, status }) => `GET ${path} with ${String(status)}`).join(', ');
    const expected = `A container of ${image} answers on port ${String(port)}: ${asked}.`;
    return withProbeContainer(context, { image, port }, async (start) => {
      if (start.started) return judge(start.container, parameters, expected, context);
      const actual = `The container did not start: ${start.error}`;
      return {
        status: 'fail',
        expected,
        actual,
        hint: startHint(start.error) ?? `Try it in the terminal: docker run --rm ${image}`,
      };
    });
  },
};

async function judge(
  container: ProbeContainer,
  parameters: Parameters,
  expected: string,
  context: CheckContext,
): Promise<Verdict> {
  const failing = await waitUntilReady(container, parameters, context);
  if (failing !== undefined) return { status: 'fail', expected, ...failing };
  for (const wanted of parameters.requests) {
    const answer = await ask(container.port, wanted.path, context);
    const wrong = answer === undefined ? 'got no answer' : compare(wanted, answer);
    if (wrong === undefined) continue;
    return {
      status: 'fail',
      expected,
      actual: `GET ${wanted.path} ${wrong}.`,
      hint: `Ask it yourself: docker run --rm -d -p 8080:${String(parameters.port)} ${parameters.image}, then curl -i localhost:8080${wanted.path}`,
    };
  }
  return { status: 'pass', expected, actual: 'It answered every request.' };
}

const pollMs = 200;

/** @returns what is wrong when no answer came in time, or undefined. */
async function waitUntilReady(
  container: ProbeContainer,
  { requests, readyWithin, port, image }: Parameters,
  context: CheckContext,
): Promise<{ actual: string; hint: string } | undefined> {
  const until = performance.now() + readyWithin;
  const path = requests[0]?.path ?? '/';
  for (;;) {
    if ((await ask(container.port, path, context)) !== undefined) return undefined;
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
  const log = await container.log();
  return {
    actual: `No answer on port ${String(port)} within ${seconds} seconds, though the container runs.${log === '' ? '' : ` Its last lines:\n${log}`}`,
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

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One request from inside the sandbox; undefined when there was no HTTP answer. */
async function ask(port: number, path: string, context: CheckContext): Promise<Answer | undefined> {
  const argv = [
    '/usr/bin/curl',
    '--disable',
    '--silent',
    '--globoff',
    '--path-as-is',
    '--noproxy',
    '*',
    '--max-time',
    '5',
    '--write-out',
    '%{stderr}%{http_code}',
    '--',
    `http://127.0.0.1:${String(port)}${path}`,
  ];
  const result = await context.shell.run(argv, {
    timeoutMs: 10_000,
    maxOutputBytes: 64 * 1024,
    signal: context.signal,
  });
  const status = Number(result.stderr.trim());
  return result.exitCode === 0 && status > 0 ? { status, body: result.stdout } : undefined;
}

/** What is wrong with an answer, to stand after "GET /path"; undefined when nothing is. */
export function compare(wanted: Request, answer: Answer): string | undefined {
  if (answer.status !== wanted.status) return `answered ${String(answer.status)} instead of ${String(wanted.status)}`;
  const body = answer.body.trim();
  if (wanted.body !== undefined && body !== wanted.body.trim())
    return `answered ${quote(body)} instead of ${quote(wanted.body)}`;
  if (wanted.contains !== undefined && !body.includes(wanted.contains))
    return `answered ${quote(body)}, without ${quote(wanted.contains)}`;
  return undefined;
}

const quote = (text: string): string => JSON.stringify(text.length > 120 ? `${text.slice(0, 119)}…` : text);
