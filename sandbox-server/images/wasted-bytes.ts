import type { ImageContents, LayerEntry } from './image-reader.ts';

/**
 * Bytes in files that are in several layers (all copies counted, the last one too, as the tool dive does) or that a
 * later layer deletes or makes a folder. docs/ci.md says how dive counts otherwise.
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
  for (const [path, { copies, bytes }] of seen) {
    const now = merged.get(path)?.entry.type;
    if (copies > 1 || now === undefined || now === 'directory') total += bytes;
  }
  return total;
}

/** Whether a later layer deletes or replaces what the layer `index` has at `path`. */
export function isHidden(merged: ImageContents['merged'], index: number, path: string): boolean {
  return merged.get(path)?.layer !== index;
}
