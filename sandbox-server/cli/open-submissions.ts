import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, relative, resolve } from 'node:path';
import { plainText } from '../checks/plain-text.ts';
import type { NamedSubmission } from '../grading/index.ts';
import { BallastError } from '../protocol/index.ts';

/** What stands for standard input on a command line. */
const standardInput = '-';

/**
 * The submissions that were named: folders, tars (gzipped or not), "-" for a tar on standard input.
 * @throws BallastError bad_request when one is not there, is neither, or is named twice.
 */
export async function openSubmissions(paths: readonly string[]): Promise<NamedSubmission[]> {
  const names = distinctNames(paths);
  return Promise.all(paths.map((path, index) => openSubmission(path, names[index] ?? path)));
}

async function openSubmission(path: string, name: string): Promise<NamedSubmission> {
  if (path === standardInput) return { name, open: () => ({ tar: process.stdin }) };
  const file = resolve(path);
  const found = await stat(file).catch(() => null);
  if (found?.isDirectory() === true) return { name, open: () => ({ dir: file }) };
  if (found?.isFile() === true) return { name, open: () => ({ tar: createReadStream(file) }) };
  throw new BallastError('bad_request', {
    message: found === null ? `There is no ${path}.` : `${path} is neither a folder nor a file.`,
    hint: 'Name a folder with a submission, a tar of one, or "-" for a tar on standard input.',
  });
}

/** Last parts of the paths where those differ, else the paths from here: made plain, since they go into reports. */
function distinctNames(paths: readonly string[]): readonly string[] {
  const named = (name: (path: string) => string): readonly string[] =>
    paths.map((path) => (path === standardInput ? 'standard input' : plainText(name(resolve(path)), 200)));
  const short = named((path) => basename(path).replace(/\.(tar|tgz|tar\.gz)$/, ''));
  if (new Set(short).size === paths.length) return short;
  const long = named((path) => relative('.', path) || '.');
  if (new Set(long).size === paths.length) return long;
  throw new BallastError('bad_request', {
    message: 'A submission is named twice.',
    hint: 'Name each submission once.',
  });
}
