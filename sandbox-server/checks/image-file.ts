import { randomBytes } from 'node:crypto';
import { normalizePath } from '../images/paths.ts';
import { untar } from '../images/untar.ts';
import { formatBytes } from '../labs/quantities.ts';
import { BallastError } from '../protocol/index.ts';
import { CheckFailed } from './check-failed.ts';
import type { CheckContext } from './check-kind.ts';
import { dockerCli } from './docker-cli.ts';

const shortMs = 30_000;
const maxFileBytes = 4 * 1024 ** 2;

/**
 * Text of a file in an image, as a container sees it, links followed; nothing of the image is started.
 * @param path absolute, in the image; the lab author's or ours, never a learner's
 * @returns null when there is no such file, or a folder
 * @throws BallastError engine_failed when the engine does not answer; CheckFailed past 4 MiB, which is the image's doing
 */
export async function readImageFile(context: CheckContext, image: string, path: string): Promise<string | null> {
  const name = `ballast-check-${randomBytes(6).toString('hex')}`;
  const { signal } = context;
  try {
    // A name for a program must be there, even though it is never run.
    const create = ['create', '--name', name, '--label', 'ballast.check=true', '--network=none', '--', image, '/none'];
    const created = await context.shell.run([dockerCli, ...create], { timeoutMs: shortMs, signal });
    if (created.exitCode !== 0) throw new BallastError('engine_failed', { message: created.stderr.trim() });
    const argv = [dockerCli, 'cp', '--follow-link', '--', `${name}:/${normalizePath(path)}`, '-'];
    const tar = await context.shell.stream(argv, { timeoutMs: shortMs, signal });
    return await firstFile(tar, path);
  } catch (error) {
    if (error instanceof BallastError && /could not find the file|no such file/i.test(error.message)) return null;
    throw error;
  } finally {
    // Not under the check's signal: what was made is removed even when the check's time is up.
    await context.shell.run([dockerCli, 'rm', '--force', '--volumes', '--', name], { timeoutMs: shortMs });
  }
}

async function firstFile(tar: AsyncIterable<Uint8Array>, path: string): Promise<string | null> {
  let text: string | null = null;
  let isFirst = true;
  await untar(tar, async ({ header, body }) => {
    // Of a folder what it holds comes after it, and is not what was asked for.
    const isAsked = isFirst && header.type === 'file';
    isFirst = false;
    if (!isAsked) return;
    if (header.size > maxFileBytes) {
      throw new CheckFailed({
        expected: `/${normalizePath(path)} in the image has at most ${formatBytes(maxFileBytes)}.`,
        actual: `It has ${formatBytes(header.size)}, too much to look into.`,
      });
    }
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    text = Buffer.concat(chunks).toString('utf8');
  });
  return text;
}
