import type { LayerEntry } from '../images/image-reader.ts';

/** Share of its parent that a folder needs to be the one to name. */
const dominant = 0.6;

/**
 * The folder in which most of a layer lies, as deep as one folder dominates: "usr/local/go".
 * @returns undefined when nothing dominates or the layer is empty.
 */
export function heaviestFolder(entries: readonly LayerEntry[]): { path: string; sizeBytes: number } | undefined {
  // One level after another, with what is in the folder alone: a layer may name millions of folders.
  let inside = entries.filter(({ sizeBytes }) => sizeBytes > 0);
  let current = { path: '', sizeBytes: inside.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
  for (;;) {
    const start = current.path === '' ? 0 : current.path.length + 1;
    const sizes = new Map<string, number>();
    for (const { path, sizeBytes } of inside) {
      const end = path.indexOf('/', start);
      if (end < 0) continue;
      const name = path.slice(start, end);
      sizes.set(name, (sizes.get(name) ?? 0) + sizeBytes);
    }
    const limit = current.sizeBytes * dominant;
    const next = [...sizes].find(([, sizeBytes]) => sizeBytes >= limit);
    if (next === undefined) break;
    const [name, sizeBytes] = next;
    current = { path: current.path === '' ? name : `${current.path}/${name}`, sizeBytes };
    const prefix = `${current.path}/`;
    inside = inside.filter(({ path }) => path.startsWith(prefix));
  }
  return current.path === '' || current.sizeBytes === 0 ? undefined : current;
}

/** Bytes of all files at or below `path`. */
export function sizeBelow(entries: readonly LayerEntry[], path: string): number {
  let total = 0;
  for (const entry of entries) {
    if (entry.path === path || entry.path.startsWith(`${path}/`)) total += entry.sizeBytes;
  }
  return total;
}

/**
 * An instruction out of an image's history, as the Dockerfile has it and short enough for a sentence. The values of ARG,
 * which the history writes before a RUN, are left out: they may be secrets.
 */
export function shortInstruction(createdBy: string, most = 60): string {
  const text = createdBy
    .replace(/^(?:RUN )?\|\d+ .*?(?=\/bin\/sh -c )/s, '')
    .replace(/^(?:RUN )?\|(\d+) (.*)$/s, (_, count: string, rest: string) =>
      ['RUN', ...rest.split(' ').slice(Number(count))].join(' '),
    )
    .replace(/^\/bin\/sh -c #\(nop\) +/, '')
    .replace(/^\/bin\/sh -c /, 'RUN ')
    .replace(/^RUN \/bin\/sh -c /, 'RUN ')
    .replace(/ # buildkit$/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  if (text === '') return 'the base image';
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
