import { linkDestination } from './paths.ts';
import type { ImageContents, LayerEntry } from './image-reader.ts';
import type { ParsedLayer } from './layer.ts';

type Merged = ImageContents['merged'];

/** What is known of one path while layers are laid over one another. Times count up with what is done. */
interface Place {
  readonly path: string;
  found: { readonly entry: LayerEntry; readonly layer: number } | undefined;
  /** When `found` was put there. */
  putAt: number;
  /** When all that was below was last taken away; 0 for never. */
  emptiedAt: number;
}

/**
 * The file system as a container sees it: layers laid over one another from the bottom up, with what upper
 * layers delete gone. Folders that no layer names are left out, and take no memory: an image may name few files in
 * millions of them.
 */
export function mergeLayers(layers: readonly Pick<ParsedLayer, 'entries' | 'whiteouts' | 'opaque'>[]): Merged {
  const places = new Map<string, Place>();
  const placeOf = (path: string): Place => {
    const known = places.get(path);
    if (known !== undefined) return known;
    const place = { path, found: undefined, putAt: 0, emptiedAt: 0 };
    places.set(path, place);
    return place;
  };
  let now = 0;
  layers.forEach((layer, index) => {
    now += 1;
    // A layer's deletions are about the layers below alone, wherever in its tar they stand.
    for (const path of layer.opaque) placeOf(path).emptiedAt = now;
    for (const path of layer.whiteouts) {
      const place = placeOf(path);
      place.emptiedAt = now;
      place.found = undefined;
    }
    for (const entry of layer.entries) {
      now += 1;
      const place = placeOf(entry.path);
      place.found = { entry, layer: index };
      place.putAt = now;
      if (entry.type !== 'directory') place.emptiedAt = now;
    }
  });
  const gone = swallowed([...places.values()]);
  const merged = new Map<string, { readonly entry: LayerEntry; readonly layer: number }>();
  for (const place of places.values()) {
    if (place.found !== undefined && !gone.has(place)) merged.set(place.path, place.found);
  }
  return merged;
}

/** Places in a folder that was emptied after they were filled. */
function swallowed(unsorted: readonly Place[]): ReadonlySet<Place> {
  const places = unsorted.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  // What is below a folder stands together, though not right after it: "a-b" comes between "a" and "a/b".
  const emptied = places.flatMap(({ path, emptiedAt }) => {
    if (emptiedAt === 0) return [];
    const prefix = path === '' ? '' : `${path}/`;
    const from = firstFrom(places, prefix);
    if (places[from]?.path.startsWith(prefix) !== true) return [];
    // "0" is the character after "/".
    return [{ from, to: path === '' ? places.length : firstFrom(places, `${path}0`), emptiedAt }];
  });
  emptied.sort((a, b) => a.from - b.from || b.to - a.to);
  const gone = new Set<Place>();
  // Folders lie in one another or apart: those around the place looked at, with the last time for each and all around it.
  const around: { readonly to: number; readonly emptiedAt: number }[] = [];
  let next = 0;
  places.forEach((place, index) => {
    while ((around.at(-1)?.to ?? Infinity) <= index) around.pop();
    for (let folder = emptied[next]; folder?.from === index; folder = emptied[next]) {
      around.push({ to: folder.to, emptiedAt: Math.max(around.at(-1)?.emptiedAt ?? 0, folder.emptiedAt) });
      next += 1;
    }
    if ((around.at(-1)?.emptiedAt ?? 0) > place.putAt) gone.add(place);
  });
  return gone;
}

/** Index of the first place, of those in order, whose path does not come before `path`. */
function firstFrom(places: readonly Place[], path: string): number {
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((places[middle]?.path ?? '') < path) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Symbolic links followed before giving up: as many as Linux follows. */
const maxLinks = 40;

/**
 * Follow the symbolic links in `path`, also those among its folders, inside the image alone.
 * @returns the path of what is there, or undefined when nothing is.
 */
export function resolvePath(merged: Merged, path: string): string | undefined {
  let pending = path.split('/').filter((part) => part !== '');
  let resolved = '';
  let links = 0;
  while (pending.length > 0) {
    const [part = '', ...rest] = pending;
    pending = rest;
    const next = resolved === '' ? part : `${resolved}/${part}`;
    const entry = merged.get(next)?.entry;
    if (entry?.type === 'symlink') {
      links += 1;
      if (links > maxLinks) return undefined;
      pending = [
        ...linkDestination(next, entry.linkTarget ?? '')
          .split('/')
          .filter((name) => name !== ''),
        ...pending,
      ];
      resolved = '';
    } else {
      resolved = next;
    }
  }
  return merged.has(resolved) ? resolved : undefined;
}

/** Text of a file that was kept, found through symbolic and hard links. */
export function mergedText(layers: readonly ParsedLayer[], merged: Merged, path: string): string | undefined {
  const resolved = resolvePath(merged, path);
  const found = resolved === undefined ? undefined : merged.get(resolved);
  if (found === undefined) return undefined;
  const { entry, layer } = found;
  return layers[layer]?.text.get(entry.type === 'hardlink' ? (entry.linkTarget ?? '') : entry.path);
}
