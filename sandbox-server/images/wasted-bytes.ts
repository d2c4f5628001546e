import type { ImageContents, LayerEntry } from './image-reader.ts';

/**
 * Bytes in files that are in several layers (all copies counted, the last one too, as the tool dive does) or that a
 * later layer deletes. Files in a folder that is deleted whole count as well, which dive leaves out.
 */
export function wastedBytes(
  layers: readonly { readonly entries: readonly LayerEntry[] }[],
  merged: ImageContents['merged'],
): number {
  const seen = new Map<string, { copies: number; bytes: number }>();
  for (const { entries } of layers) {
    for (const { path, type, sizeBytes } of entries) {
      if (type === 'directory') continue;
      const file = seen.get(path) ?? { copies: 0, bytes: 0 };
      file.copies += 1;
      file.bytes += sizeBytes;
      seen.set(path, file);
    }
  }
  let total = 0;
  for (const [path, { copies, bytes }] of seen) if (copies > 1 || !merged.has(path)) total += bytes;
  return total;
}

/** Whether a later layer deletes or replaces what the layer `index` has at `path`. */
export function isHidden(merged: ImageContents['merged'], index: number, path: string): boolean {
  return merged.get(path)?.layer !== index;
}
