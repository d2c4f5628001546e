import type { StoredImage } from '../base-images/manifest.ts';
import type { PreparedStore } from './prepare-store.ts';

/** Bytes for people: "0.8 GB", "12 MB". */
export function inWords(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** "6 (1.2 GB) ready", and how many are not the official ones, with the reason. */
export function describeStore({ images, diskBytes }: Pick<PreparedStore, 'images' | 'diskBytes'>): string {
  const ready = `${String(images.length)} (${inWords(diskBytes)}) ready`;
  const equivalents = images.filter(({ origin }) => origin === 'equivalent');
  if (equivalents.length === 0) return ready;
  const reasons = [...new Set(equivalents.flatMap(({ note }) => note ?? []))].join('; ');
  return `${ready}, ${String(equivalents.length)} of them built from Debian packages${reasons === '' ? '' : `: ${reasons}`}`;
}

/** A table of images: seconds it took to obtain each, and its size, of which others may share a part. */
export function imageTable(images: readonly StoredImage[]): string {
  const rows = images.map(({ ref, seconds, sizeBytes, origin }) => [
    ref,
    `${seconds.toFixed(1)} s`,
    inWords(sizeBytes),
    origin === 'official' ? 'official' : 'from Debian packages',
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const [first = 0, second = 0, third = 0] = widths;
  return rows
    .map(
      ([ref = '', seconds = '', size = '', origin = '']) =>
        `  ${ref.padEnd(first)}  ${seconds.padStart(second)}  ${size.padStart(third)}  ${origin}\n`,
    )
    .join('');
}
