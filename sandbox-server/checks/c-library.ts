import type { ImageContents } from '../images/image-reader.ts';

/**
 * The C library that a container of the image has: an image with one and without a list of packages was made of packages
 * all the same.
 * @returns its path without a leading slash; undefined where there is none
 */
export function findLibrary({ merged }: Pick<ImageContents, 'merged'>): string | undefined {
  return [...merged.keys()].find((path) => /(^|\/)(libc\.so\.6|ld-(linux|musl)[^/]*\.so\.\d+)$/.test(path));
}
