import { BallastError } from '../protocol/index.ts';

const maxPathBytes = 1024;
const maxNameBytes = 255;
const maxDepth = 32;

function refuse(message: string): never {
  throw new BallastError('bad_path', { message });
}

/**
 * Checks a path that a client names. It says nothing of symbolic links: those are resolved inside the sandbox.
 * @param path decoded, relative to the lab folder, "/" between parts
 * @returns the same path
 * @throws BallastError bad_path
 */
export function checkFilePath(path: string): string {
  if (path === '') refuse('The path is empty.');
  if (Buffer.byteLength(path) > maxPathBytes) refuse(`The path is longer than ${String(maxPathBytes)} bytes.`);
  if (/\p{Cc}|\uFFFD/u.test(path)) refuse('The path has control characters in it.');
  if (!path.isWellFormed()) refuse('The path is not valid Unicode.');
  if (path.startsWith('/')) refuse('The path is absolute.');
  const parts = path.split('/');
  if (parts.length > maxDepth) refuse(`The path is more than ${String(maxDepth)} folders deep.`);
  for (const part of parts) {
    if (part === '' || part === '.' || part === '..') refuse(`The path has a part "${part}".`);
    if (Buffer.byteLength(part) > maxNameBytes)
      refuse(`A name in the path is longer than ${String(maxNameBytes)} bytes.`);
  }
  return path;
}
