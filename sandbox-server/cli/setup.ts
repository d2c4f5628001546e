import { languageTracks, type LanguageTrack } from '../base-images/tracks.ts';
import { loadConfig } from '../config.ts';
import { addChosenImages } from '../setup/chosen-images.ts';
import { findLab, prepareFor } from './prepare-for.ts';

/**
 * `ballast setup`: all set-up that `start` would do, and the images of tracks and labs beyond the core set. Those are
 * remembered before they are there: a set-up that was ended half-way is gone on with by the next one.
 * @throws BallastError lab_not_found, disk_full, and what set-up met
 */
export async function setup(
  options: { readonly track?: readonly (LanguageTrack | 'all')[]; readonly lab?: readonly string[] } = {},
): Promise<void> {
  const { track = [], lab: ids = [] } = options;
  const { home } = loadConfig();
  await prepareFor({
    withSite: true,
    onLabs: (labs) => {
      const refs = ids.flatMap((id) => findLab(labs, id).images);
      addChosenImages(home, {
        tracks: languageTracks.filter((name) => track.includes('all') || track.includes(name)),
        refs,
      });
      return [];
    },
  });
}
