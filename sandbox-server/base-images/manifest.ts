import { z } from 'zod';
import { builtInRegistry } from './built-in-registries.ts';

const storedImage = z.object({
  ref: z.string(),
  origin: z.enum(['official', 'equivalent']),
  /** Of an equivalent: why the official image was not pulled. */
  note: z.string().optional(),
  /** Uncompressed bytes of the files in its layers. */
  sizeBytes: z.number().int().nonnegative(),
  /** Image id: the digest of its configuration. */
  digest: z.string(),
  /** How long it took to obtain, once what it is built on was there. */
  seconds: z.number().nonnegative(),
});
export type StoredImage = z.infer<typeof storedImage>;

/** What a finished store says of itself: manifest.json at its top, and the copy that set-up keeps outside. */
export const storeManifest = z.object({
  version: z.literal(2),
  /** Made anew with each volume; its label ballast.seed must say the same. */
  seed: z.string(),
  /** How often images have been added: sandboxes see those that were there when they started. */
  revision: z.number().int().positive(),
  /** What all images take of the disk; layers that they share count once. */
  diskBytes: z.number().int().nonnegative(),
  images: z.array(storedImage),
  /** What the package clients in them use. */
  registries: z.array(builtInRegistry),
});
export type StoreManifest = z.infer<typeof storeManifest>;

/** Read a manifest; null when the text is not one. */
export function parseManifest(text: string): StoreManifest | null {
  try {
    return storeManifest.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
