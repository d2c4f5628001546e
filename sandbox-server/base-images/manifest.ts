import { z } from 'zod';

/** What a finished store says of itself: manifest.json at its top, and the copy that set-up keeps outside. */
export const storeManifest = z.object({
  version: z.literal(1),
  /** Made anew at each seeding; the volume's label ballast.seed must say the same. */
  seed: z.string(),
  images: z.array(
    z.object({
      ref: z.string(),
      origin: z.enum(['official', 'equivalent']),
      /** Of an equivalent: why the official image was not pulled. */
      note: z.string().optional(),
      /** Uncompressed bytes of its layers, counted from the archive. */
      sizeBytes: z.number().int().nonnegative(),
      /** Image id: the digest of its configuration. */
      digest: z.string(),
    }),
  ),
});
export type StoreManifest = z.infer<typeof storeManifest>;
export type StoredImage = StoreManifest['images'][number];

/** Read a manifest; null when the text is not one. */
export function parseManifest(text: string): StoreManifest | null {
  try {
    return storeManifest.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/**
 * Bytes of each blob of an image archive, by digest.
 * @param listing of `tar -tv` over the output of `docker save`.
 */
export function blobSizes(listing: string): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const line of listing.split('\n')) {
    const match = /^-\S+\s+\S+\s+(\d+)\s.*\sblobs\/sha256\/([0-9a-f]{64})$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) sizes.set(`sha256:${match[2]}`, Number(match[1]));
  }
  return sizes;
}
