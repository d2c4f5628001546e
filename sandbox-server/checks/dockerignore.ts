import { posix } from 'node:path';
import type { CheckContext } from './check-kind.ts';
import { readLabFile } from './dockerfile.ts';
import { fitsIgnorePattern } from './ignore-pattern.ts';

/** A file of the build context that is left out, and by what. */
export interface LeftOut {
  /** The file of patterns: .dockerignore, or that of a Dockerfile of its own. */
  readonly file: string;
  /** Its line, as written. */
  readonly line: string;
}

/**
 * What keeps a file out of the build context, if anything.
 * @param folder the build context, relative to the lab folder; @param dockerfile and @param path relative to it
 */
export async function leftOutBy(
  context: CheckContext,
  folder: string,
  dockerfile: string,
  path: string,
): Promise<LeftOut | undefined> {
  for (const file of [`${dockerfile}.dockerignore`, '.dockerignore']) {
    const text = await readLabFile(context, posix.join(folder, file));
    if (text === null) continue;
    const line = ignoringLine(text, path);
    return line === undefined ? undefined : { file, line };
  }
  return undefined;
}

/** The line of a .dockerignore that leaves a path out: the last that fits it, or a folder above, decides. */
export function ignoringLine(text: string, path: string): string | undefined {
  const wanted = posix.normalize(path);
  let ignoring: string | undefined;
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const back = line.startsWith('!');
    const pattern = posix
      .normalize(line.slice(back ? 1 : 0).trim())
      .replace(/^\//, '')
      .replace(/\/$/, '');
    if (pattern === '.' || fitsIgnorePattern(pattern, wanted)) ignoring = back ? undefined : line;
  }
  return ignoring;
}
