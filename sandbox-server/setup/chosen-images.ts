import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { catalogue } from '../base-images/catalogue.ts';
import { languageTracks } from '../base-images/tracks.ts';

const chosenImages = z.object({
  tracks: z.array(z.enum(languageTracks)),
  /** Images of single labs. */
  refs: z.array(z.string()),
});
/** What somebody has asked for beyond the core set; every later start keeps it. */
export type ChosenImages = z.infer<typeof chosenImages>;

const fileOf = (home: string): string => join(home, 'base-images.json');

/** What was asked for before; nothing where nobody has, or the file is none of ours. */
export function readChosenImages(home: string): ChosenImages {
  try {
    return chosenImages.parse(JSON.parse(readFileSync(fileOf(home), 'utf8')));
  } catch {
    return { tracks: [], refs: [] };
  }
}

/** Remember more, in the server's folder. */
export function addChosenImages(home: string, more: ChosenImages): void {
  const before = readChosenImages(home);
  const chosen: ChosenImages = {
    tracks: languageTracks.filter((track) => before.tracks.includes(track) || more.tracks.includes(track)),
    refs: [...new Set([...before.refs, ...more.refs])].sort(),
  };
  const partial = `${fileOf(home)}.${String(process.pid)}.part`;
  mkdirSync(home, { recursive: true });
  writeFileSync(partial, `${JSON.stringify(chosen, null, 2)}\n`);
  renameSync(partial, fileOf(home));
}

/** References of the core set, and of what was chosen. */
export function wantedImages({ tracks, refs }: ChosenImages): readonly string[] {
  const wanted = catalogue.filter((entry) => entry.tracks.some((track) => track === 'core' || tracks.includes(track)));
  return [...new Set([...wanted.map(({ ref }) => ref), ...refs])];
}
