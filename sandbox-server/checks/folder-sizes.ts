import type { LayerEntry } from '../images/image-reader.ts';

/** Share of its parent that a folder needs to be the one to name. */
const dominant = 0.6;

/**
 * The folder in which most of a layer lies, as deep as one folder dominates: "usr/local/go".
 * @returns undefined when nothing dominates or the layer is empty.
 */
export function heaviestFolder(entries: readonly LayerEntry[]): { path: string; sizeBytes: number } | undefined {
  const sizes = new Map<string, number>();
  const children = new Map<string, Set<string>>();
  for (const { path, sizeBytes } of entries) {
    if (sizeBytes === 0) continue;
    const parts = path.split('/');
    for (let depth = 0; depth < parts.length; depth += 1) {
      const folder = parts.slice(0, depth).join('/');
      sizes.set(folder, (sizes.get(folder) ?? 0) + sizeBytes);
      if (depth === 0) continue;
      const parent = parts.slice(0, depth - 1).join('/');
      const siblings = children.get(parent) ?? new Set<string>();
      children.set(parent, siblings.add(folder));
    }
  }
  let current = '';
  for (;;) {
    const limit = (sizes.get(current) ?? 0) * dominant;
    const next = [...(children.get(current) ?? [])].find((child) => (sizes.get(child) ?? 0) >= limit);
    if (next === undefined) break;
    current = next;
  }
  const sizeBytes = sizes.get(current) ?? 0;
  return current === '' || sizeBytes === 0 ? undefined : { path: current, sizeBytes };
}

/** Bytes of all files at or below `path`. */
export function sizeBelow(entries: readonly LayerEntry[], path: string): number {
  let total = 0;
  for (const entry of entries) {
    if (entry.path === path || entry.path.startsWith(`${path}/`)) total += entry.sizeBytes;
  }
  return total;
}

/** An instruction out of an image's history, as the Dockerfile has it and short enough for a sentence. */
export function shortInstruction(createdBy: string, most = 60): string {
  const text = createdBy
    .replace(/^\/bin\/sh -c #\(nop\) +/, '')
    .replace(/^\/bin\/sh -c /, 'RUN ')
    .replace(/^RUN \/bin\/sh -c /, 'RUN ')
    .replace(/ # buildkit$/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  if (text === '') return 'the base image';
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
