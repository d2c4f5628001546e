import { z } from 'zod';
import type { CheckKind } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';
import { withProbeContainer } from '../probe-container.ts';
import { oneOfPortAndLog, oneOfPortAndLogMessage, readyParameters, waitUntilReady } from '../readiness.ts';
import { startHint } from '../start-hints.ts';

const schema = z
  .strictObject({
    image: imageParameter,
    ...readyParameters,
    readOnly: z.boolean().default(true).describe('With a root file system that nothing can be written to.'),
    dropCapabilities: z.boolean().default(true).describe('Without any capability, and without a way to gain one.'),
    uid: z
      .int()
      .min(1)
      .max(60_000)
      .nullable()
      .default(31_337)
      .describe('As this user, whom the image does not know; null keeps the user of the image.'),
    tmpfs: z.array(z.string().startsWith('/')).default([]).describe('Folders in memory that can be written to.'),
  })
  .refine(oneOfPortAndLog, oneOfPortAndLogMessage);
type Parameters = z.output<typeof schema>;

/** Starts the image as a careful platform does, and wants it to become ready all the same. */
export const runsHardened: CheckKind<Parameters> = {
  name: 'runs-hardened',
  summary: 'The image runs with a read-only root, without capabilities, and as an arbitrary user.',
  docs: {
    looksAt:
      'A container with a read-only root, no capabilities, no way to gain one, and a user that the image does not know.',
    example: `image: greeter
port: 8080
tmpfs: [/tmp]`,
    fails: `Says which of these it did not bear, with the container's last lines, or with which status it answered. The hint names the path that those lines name.`,
  },
  schema,
  timeoutMs: 120_000,
  async run(parameters, context) {
    const { image, port } = parameters;
    const options = hardenedOptions(parameters);
    const command = `docker run --rm ${options.join(' ')} ${image}`;
    const expected = `${image} becomes ready with ${options.join(' ')}.`;
    return withProbeContainer(context, { image, port, options }, async (start) => {
      if (!start.started) {
        const hint = startHint(start.error) ?? `Try it in the terminal: ${command}`;
        return { status: 'fail', expected, actual: `The container did not start: ${start.error}`, hint };
      }
      const judged = await waitUntilReady(start.container, parameters, context);
      if (judged.ready) return { status: 'pass', expected, actual: `It does, ${judged.after} after its start.` };
      const hint = hardeningHint(judged.actual) ?? judged.hint;
      return { status: 'fail', expected, actual: judged.actual, hint: `${hint}\nTry it in the terminal: ${command}` };
    });
  },
};

/** The options of `docker run` that the parameters stand for. */
export function hardenedOptions({
  readOnly,
  dropCapabilities,
  uid,
  tmpfs,
}: Pick<Parameters, 'readOnly' | 'dropCapabilities' | 'uid' | 'tmpfs'>): string[] {
  return [
    ...(readOnly ? ['--read-only'] : []),
    ...tmpfs.map((folder) => `--tmpfs=${folder}`),
    ...(dropCapabilities ? ['--cap-drop=ALL', '--security-opt=no-new-privileges'] : []),
    ...(uid === null ? [] : [`--user=${String(uid)}:${String(uid)}`]),
  ];
}

/** What the last lines of a program that hardening stopped say about it. */
export function hardeningHint(text: string): string | undefined {
  const line = (pattern: RegExp): string | undefined => text.split('\n').find((each) => pattern.test(each));
  const readOnly = line(/read-only file system|EROFS/i);
  if (readOnly !== undefined)
    return `It writes to ${pathIn(readOnly) ?? 'a file'} of the image. Keep state out of the image: write to a volume, to a tmpfs, or to standard output.`;
  const denied = line(/permission denied|EACCES/i);
  if (denied !== undefined)
    return `It wants ${pathIn(denied) ?? 'a file or a port'}, which only a certain user may use. Make files readable for all (COPY --chmod), and listen on a port from 1024 up.`;
  if (/operation not permitted|EPERM|setgid|setuid|chown/i.test(text))
    return 'It wants a privilege of root, such as changing user or owner. Set USER and owners in the Dockerfile, not when it starts.';
  return undefined;
}

/** The absolute path that a line complains about: the last, since what stands before is often the program that speaks. */
function pathIn(line: string): string | undefined {
  return [...line.matchAll(/(?<![\w/:.-])\/[^\s'":,()]+/g)].at(-1)?.[0].replace(/\.$/, '');
}
