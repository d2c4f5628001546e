import { z } from 'zod';
import { duration } from '../../labs/quantities.ts';
import type { CheckContext, CheckKind, Verdict } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';
import { ask } from '../http-probe.ts';
import type { Answer } from '../http-probe.ts';
import { withProbeContainer } from '../probe-container.ts';
import type { ProbeContainer } from '../probe-container.ts';
import { printed, waitUntilReady } from '../readiness.ts';
import { startHint } from '../start-hints.ts';

const request = z.strictObject({
  path: z.string().startsWith('/').describe('Path to ask for, with what follows a "?".'),
  status: z.int().min(100).max(599).default(200).describe('Status of the answer.'),
  body: z.string().optional().describe('The whole body, but for white space at its ends.'),
  contains: z.string().optional().describe('Text that the body holds.'),
  headers: z
    .record(z.string().regex(/^[\w-]+$/), z.string())
    .optional()
    .describe('Headers that the answer has, each with text that its value holds.'),
});
type Request = z.output<typeof request>;

const schema = z.strictObject({
  image: imageParameter,
  port: z.int().min(1).max(65_535).describe('Port that the service listens on inside the container.'),
  requests: z.array(request).min(1).describe('What is asked, one after another.'),
  readyWithin: duration.prefault('10s').describe('Time from the start to the first answer.'),
});
type Parameters = z.output<typeof schema>;

/** Runs the image in the sandbox's own engine and asks it: how it was built does not matter, only how it behaves. */
export const servesHttp: CheckKind<Parameters> = {
  name: 'serves-http',
  summary: 'A container of the image answers HTTP requests as it should.',
  docs: {
    looksAt: `A container of the image, with the port published on the sandbox's loopback, asked with curl.`,
    example: `image: greeter
port: 8080
requests:
  - path: /healthz
    body: ok
  - path: /nowhere
    status: 404`,
    fails:
      'Says what came back instead, with the last lines of the container, or that it ended, with its exit code; a kill for want of memory is told from any other by the counters of the kernel. When nothing answers, the hint is made from the ports that the container listens on: another port, or 127.0.0.1 only.',
  },
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
  // Any answer shows that it is up; whether it is the right one is judged below.
  const readiness = { ...parameters, path: parameters.requests[0]?.path ?? '/', status: 'any' } as const;
  const start = await waitUntilReady(container, readiness, context);
  if (!start.ready) return { status: 'fail', expected, actual: start.actual, hint: start.hint };
  for (const wanted of parameters.requests) {
    const answer = await ask(container.port, wanted.path, context);
    const wrong = answer === undefined ? 'got no answer' : compare(wanted, answer);
    if (wrong === undefined) continue;
    return {
      status: 'fail',
      expected,
      actual: `GET ${wanted.path} ${wrong}.${printed(await container.log())}`,
      hint: `Ask it yourself: docker run --rm -d -p 8080:${String(parameters.port)} ${parameters.image}, then curl -i localhost:8080${wanted.path}`,
    };
  }
  return { status: 'pass', expected, actual: `It answered every request, the first ${start.after} after its start.` };
}

/** What is wrong with an answer, to stand after "GET /path"; undefined when nothing is. */
export function compare(wanted: Request, answer: Answer): string | undefined {
  if (answer.status !== wanted.status) return `answered ${String(answer.status)} instead of ${String(wanted.status)}`;
  const body = answer.body.trim();
  if (wanted.body !== undefined && body !== wanted.body.trim())
    return `answered ${quote(body)} instead of ${quote(wanted.body)}`;
  if (wanted.contains !== undefined && !body.includes(wanted.contains))
    return `answered ${quote(body)}, without ${quote(wanted.contains)}`;
  for (const [name, value] of Object.entries(wanted.headers ?? {})) {
    const seen = answer.headers.get(name.toLowerCase());
    if (seen === undefined) return `answered without the header ${name}`;
    if (!seen.includes(value)) return `answered with ${name}: ${quote(seen)}, without ${quote(value)}`;
  }
  return undefined;
}

const quote = (text: string): string => JSON.stringify(text.length > 120 ? `${text.slice(0, 119)}…` : text);
