import { findEntry } from './catalogue.ts';
import { languageTracks } from './tracks.ts';

/** What of a lab decides which images it needs. */
export interface NeedsImages {
  readonly id: string;
  readonly images: readonly string[];
}

/**
 * The command that obtains what a lab lacks: that of the track which has all of it, or that for the lab itself.
 * @param missing references of the lab that are not here.
 */
export function setupCommand(lab: NeedsImages, missing: readonly string[]): string {
  const track = languageTracks.find((name) => missing.every((ref) => findEntry(ref)?.tracks.includes(name)));
  return track === undefined ? `npx ballast setup --lab ${lab.id}` : `npx ballast setup --track ${track}`;
}
