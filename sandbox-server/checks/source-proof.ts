import { randomBytes } from 'node:crypto';
import { posix } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { BallastError } from '../protocol/index.ts';
import type { CheckContext } from './check-kind.ts';
import { dockerBuild } from './docker-build.ts';
import { dockerCli } from './docker-cli.ts';
import { readLabFile } from './dockerfile.ts';
import { relativePath } from './parameters.ts';
import { withProbeContainer } from './probe-container.ts';
import type { ProbeContainer } from './probe-container.ts';
import { withTemporaryCopy } from './temporary-copy.ts';

/** How the clean room tells a service that is compiled from its sources from one that was brought along ready-made. */
export const sourceProofSchema = z.strictObject({
  file: relativePath.describe(
    'Source file that is changed in a copy; list it under "protected", so that it is as you know it.',
  ),
  replace: z.string().min(1).describe('Text in it that is replaced.'),
  by: z
    .string()
    .refine((text) => text.includes('{{first}}') && text.includes('{{second}}'), 'must hold {{first}} and {{second}}')
    .describe('What it is replaced by: code that puts {{first}} and {{second}}, joined by "-", into an answer.'),
  port: z.int().min(1).max(65_535).describe('Port that the service listens on inside the container.'),
  path: z
    .string()
    .startsWith('/')
    .default('/')
    .describe('What is asked for; the word may be in a header or in the body.'),
});
export type SourceProof = z.output<typeof sourceProofSchema>;

interface Built {
  readonly image: string;
  /** The build context, relative to the lab folder. */
  readonly folder: string;
  readonly dockerfile: string;
  readonly timeoutMs: number;
}

/** Longest wait for the first answer. */
const readyMs = 6000;
const pollMs = 200;

/**
 * Change a source file in a copy, build the copy, and see the service change with it. The word it must answer is drawn
 * anew each time and put together as the service runs.
 * @returns what is wrong, or undefined. A service that answers neither before nor after the change proves nothing; that
 * it does not answer is another check's to say.
 */
export async function judgeSources(
  proof: SourceProof,
  built: Built,
  context: CheckContext,
): Promise<{ readonly actual: string; readonly hint: string } | undefined> {
  const { file } = proof;
  const [first, second] = [randomBytes(4).toString('hex'), randomBytes(4).toString('hex')];
  const tag = `ballast-check-${randomBytes(6).toString('hex')}`;
  const hint = `Let the Dockerfile compile the service from the files of the lab, ${file} among them.`;
  try {
    const outcome = await withTemporaryCopy(context, posix.join(context.labDir, built.folder), async (copy) => {
      await copy.write(file, await marked(proof, built.folder, first, second, context));
      return dockerBuild(context.shell, { context: copy.dir, tag, signal: context.signal, ...pick(built) });
    });
    if (outcome.status !== 'built') {
      return { actual: `It builds, but no longer once ${file} has had a harmless change.`, hint };
    }
    const answer = await askImage(tag, proof, context);
    if (answer?.includes(`${first}-${second}`) === true) return undefined;
    if (answer === undefined && (await askImage(built.image, proof, context)) === undefined) return undefined;
    const actual = `What the image runs is not compiled from your files: ${file} was changed in a copy, and the service of the image built from it did not change.`;
    return { actual, hint };
  } finally {
    // Not under the check's signal: the image goes even when the check's time is up.
    await context.shell.run([dockerCli, 'image', 'rm', '--force', '--', tag], { timeoutMs: 20_000 });
  }
}

const pick = ({ dockerfile, timeoutMs }: Built): Pick<Built, 'dockerfile' | 'timeoutMs'> => ({ dockerfile, timeoutMs });

async function marked(
  { file, replace, by }: SourceProof,
  folder: string,
  first: string,
  second: string,
  context: CheckContext,
): Promise<string> {
  const text = await readLabFile(context, posix.join(folder, file));
  if (text?.includes(replace) !== true) {
    throw new BallastError('lab_invalid', { message: `${file} does not hold the text that the lab replaces in it.` });
  }
  return text.replace(replace, () => by.replaceAll('{{first}}', first).replaceAll('{{second}}', second));
}

/** Headers and body of the answer of a container of the image; undefined when it gives none. */
function askImage(image: string, { port, path }: SourceProof, context: CheckContext): Promise<string | undefined> {
  return withProbeContainer(context, { image, port }, async (start) => {
    if (!start.started) return undefined;
    const until = performance.now() + readyMs;
    for (;;) {
      const answer = await ask(start.container, path, context);
      if (answer !== undefined) return answer;
      if ((await start.container.state()).status === 'exited' || performance.now() >= until) return undefined;
      await delay(pollMs, undefined, { signal: context.signal });
    }
  });
}

async function ask(container: ProbeContainer, path: string, context: CheckContext): Promise<string | undefined> {
  const url = `http://127.0.0.1:${String(container.port)}${path}`;
  const options = [
    '--disable',
    '--silent',
    '--include',
    '--globoff',
    '--path-as-is',
    '--noproxy',
    '*',
    '--max-time',
    '5',
  ];
  const result = await context.shell.run(['/usr/bin/curl', ...options, '--', url], {
    timeoutMs: 10_000,
    maxOutputBytes: 64 * 1024,
    signal: context.signal,
  });
  return result.exitCode === 0 ? result.stdout : undefined;
}
