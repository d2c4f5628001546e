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
      /** Uncompressed bytes of the files in its layers. */
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
