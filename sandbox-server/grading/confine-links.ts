import { posix } from 'node:path';
import { plainText } from '../checks/plain-text.ts';
import { BallastError } from '../protocol/index.ts';
import type { Submission } from './submitted-file.ts';

/** As Linux itself gives up. */
const mostLinks = 40;

/**
 * Refuse links that lead out of a submission, also those that do so only together: each of `a/up -> ..` and
 * `out -> a/up/..` looks harmless, but the second, followed through the first, ends above the submission. Refuses as
 * well a file whose folder is a link: unpacked in order, it would be written wherever the link leads.
 * @throws BallastError bad_path
 */
export function confineLinks(files: Submission): void {
  for (const file of files.values()) {
    for (let folder = posix.dirname(file.path); folder !== '.'; folder = posix.dirname(folder)) {
      const above = files.get(folder);
      if (above === undefined || above.type === 'directory') continue;
      throw new BallastError('bad_path', {
        message: `${shown(file.path)} lies in ${shown(folder)}, which is a ${above.type === 'symlink' ? 'link' : 'file'}.`,
        hint: 'Submit the files themselves.',
      });
    }
    if (file.type === 'symlink' && !staysInside(files, file.path)) {
      throw new BallastError('bad_path', {
        message: `${shown(file.path)} is a link that leads out of the submission.`,
        hint: 'Put a copy of the file there instead.',
      });
    }
  }
}

/** A name that somebody else gave, for a message. */
const shown = (path: string): string => plainText(path, 200);

/** Follows a path part by part, as the kernel does: ".." goes up from where a link leads, not from where it lies. */
function staysInside(files: Submission, path: string): boolean {
  const todo = path.split('/');
  const at: string[] = [];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.pop() === undefined) return false;
      continue;
    }
    const found = files.get([...at, part].join('/'));
    if (found?.type !== 'symlink') {
      at.push(part);
      continue;
    }
    links += 1;
    if (found.target.startsWith('/')) return false;
    // A loop leads nowhere, which is inside enough; what reads it fails.
    if (links > mostLinks) return true;
    todo.unshift(...found.target.split('/'));
  }
  return true;
}
