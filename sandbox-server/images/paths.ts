import { posix } from 'node:path';

/**
 * A path of an archive as a path below the image's root, without a leading slash; "" is the root itself.
 * ".." stops at the root, as it does in a container.
 */
export function normalizePath(name: string): string {
  const absolute = posix.normalize(`/${name}`);
  return absolute.replace(/^\/+/, '').replace(/\/$/, '');
}

/** Where a symbolic link at `path` points to, as a path below the root. */
export function linkDestination(path: string, target: string): string {
  return normalizePath(target.startsWith('/') ? target : posix.join(posix.dirname(path), target));
}
