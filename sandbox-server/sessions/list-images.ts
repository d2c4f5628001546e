import { z } from 'zod';
import type { SandboxShell } from '../checks/index.ts';
import { BallastError, type ImageOrigin, type ImageView } from '../protocol/index.ts';

/** A base image of the store, as set-up recorded it. */
export interface BaseImage {
  readonly ref: string;
  readonly origin: 'official' | 'equivalent';
  /** Uncompressed bytes of the files in its layers. */
  readonly sizeBytes: number;
  /** Image id. */
  readonly digest: string;
}

/** The store of base images that sandboxes mount. */
export interface BaseImageStore {
  readonly volume: string;
  readonly images: readonly BaseImage[];
  /** Grows when images are added: a sandbox has those that were there when it started. */
  readonly revision: number;
}

/** One exec for both steps: which images there are, then what they are. Constant text, no words of anybody's in it. */
const listScript = `
set -o pipefail
ids=$(/usr/bin/docker image ls --quiet --no-trunc | sort -u) || exit 1
[ -n "$ids" ] || exit 0
/usr/bin/docker image inspect --format '{"id":{{json .Id}},"tags":{{json .RepoTags}},"size":{{json .Size}},"created":{{json .Created}}}' $ids
`;
const maxOutputBytes = 4 * 1024 * 1024;

const inspected = z.object({
  id: z.string(),
  tags: z.array(z.string()).nullable(),
  size: z.number().int().nonnegative(),
  created: z.string().nullable(),
});

/** A reference as the engine and people write it alike: "debian" and "debian:latest" are one. */
export const shortName = (ref: string): string => (ref.endsWith(':latest') ? ref.slice(0, -':latest'.length) : ref);

/** Parses what `docker image inspect` printed, a JSON object a line; a tag is one image of the list. */
export function parseImages(output: string, base: readonly BaseImage[]): ImageView[] {
  const known = new Map(base.map((image) => [shortName(image.ref), image]));
  const images: ImageView[] = [];
  for (const line of output.split('\n')) {
    if (line.trim() === '') continue;
    const image = inspected.parse(JSON.parse(line));
    for (const ref of image.tags ?? []) {
      const store = known.get(shortName(ref));
      // A learner may give the name of a base image to one of their own.
      const isBase = store?.digest === image.id;
      const origin: ImageOrigin = isBase ? store.origin : 'unknown';
      images.push({
        ref,
        digest: image.id,
        // The sandbox's engine has overlay2, and says of it what images/ counts from the archive.
        sizeBytes: image.size,
        createdAt: image.created ?? '',
        base: isBase,
        origin,
      });
    }
  }
  return images.sort((a, b) => Number(a.base) - Number(b.base) || a.ref.localeCompare(b.ref));
}

/**
 * The tagged images in a sandbox, the learner's own first.
 * @throws BallastError sandbox_failed when its engine does not answer
 */
export async function listImages(
  shell: SandboxShell,
  base: readonly BaseImage[],
  signal?: AbortSignal,
): Promise<ImageView[]> {
  const result = await shell.run(['/bin/bash', '-c', listScript], {
    timeoutMs: 20_000,
    maxOutputBytes,
    ...(signal === undefined ? {} : { signal }),
  });
  // An image that went between the two steps is named on standard error; the others are there.
  if (result.exitCode !== 0 && result.stdout === '') {
    throw new BallastError('sandbox_failed', {
      message: 'The Docker Engine in the sandbox did not answer.',
      hint: 'Try again, or reset the sandbox and keep the files.',
      cause: new Error(result.stderr.slice(0, 500)),
    });
  }
  return parseImages(result.stdout, base);
}
