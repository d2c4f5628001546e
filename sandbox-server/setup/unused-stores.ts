import { statSync } from 'node:fs';
import type { Engine } from '../engines/engine.ts';
import { recordFile } from './store-record.ts';

/**
 * Remove the stores that a server made before its current one, unless a sandbox still uses one: the engine refuses then.
 * What a newer set-up has made meanwhile stays, and what one has left half-made.
 * @param host label ballast.host of the server.
 * @param home the server's folder (config.home), with the records of its stores.
 * @param current volume that stays.
 */
export async function removeUnusedStores(
  engine: Engine,
  { host, home, current }: { readonly host: string; readonly home: string; readonly current: string },
): Promise<void> {
  const madeAt = (volume: string): number | undefined =>
    statSync(recordFile(home, volume), { throwIfNoEntry: false })?.mtimeMs;
  const newest = madeAt(current) ?? 0;
  for (const volume of await engine.listVolumes({ 'ballast.kind': 'store', 'ballast.host': host })) {
    const made = madeAt(volume);
    if (volume !== current && made !== undefined && made < newest)
      await engine.removeVolume(volume).catch(() => undefined);
  }
}
