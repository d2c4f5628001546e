import type { Readable } from 'node:stream';
import { BallastError } from '../protocol/index.ts';
import { malformed } from './archive-error.ts';
import { defaultCaps } from './caps.ts';
import type { ImageCaps } from './caps.ts';
import type { Finding, ImageContents, ImageLayer, ImageReader } from './image-reader.ts';
import { LayerCache } from './layer-cache.ts';
import type { LayerMatch, ParsedLayer } from './layer.ts';
import { readLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { mergeLayers, mergedText } from './merged-view.ts';
import { readInWorker } from './read-in-worker.ts';
import { isHidden, wastedBytes } from './wasted-bytes.ts';

/** Where images come from. */
export interface ImageSource {
  /** The id ("sha256:…") that a reference stands for now, or null when there is no such image. */
  resolve(ref: string, signal?: AbortSignal): Promise<string | null>;
  /** The archive of one image, as `docker save` writes it. */
  save(id: string, signal?: AbortSignal): Promise<Readable>;
}

/** Images whose contents are remembered; layers are shared between them. */
const rememberedImages = 6;

/** Searches whose layers are remembered. */
const rememberedSearches = 6;

/**
 * A reader that asks `source` for each image once, and reads each layer once.
 * Contents are remembered by the image's id, so an image built anew under the same name is read anew.
 * @param layers what is known of layers by their digest; readers of several sandboxes may share it
 */
export function createArchiveImageReader(
  source: ImageSource,
  caps: ImageCaps = defaultCaps,
  layers = new LayerCache<ParsedLayer>((layer) => layer.entries.length),
): ImageReader {
  const images = new Map<string, Promise<Contents>>();
  const searches = new Map<string, LayerCache<readonly LayerMatch[]>>();

  /** Read an archive but for the layers in `cache`; what it has of each layer goes there. */
  async function readThrough<Value>(
    id: string,
    cache: LayerCache<Value>,
    options: { readonly needles?: readonly string[]; readonly of: (layer: ParsedLayer) => Value },
    signal: AbortSignal | undefined,
  ): Promise<{ layout: Layout; parsed: Value[] }> {
    // Held, so that nobody else's images push out what this one is told not to send.
    const held = cache.snapshot();
    const { of, ...rest } = options;
    const stream = await source.save(id, signal);
    const archive = await readInWorker(stream, { caps, known: new Set(held.keys()), ...rest }, signal);
    const layout = readLayout(archive.documents);
    const parsed = layout.layers.map(({ name }) => {
      const target = archive.links.get(name) ?? name;
      const read = archive.layers.get(target);
      const value = read === undefined ? held.get(target) : of(read);
      if (value === undefined) throw malformed(`its layer ${name} is missing`);
      // Only the OCI layout names layers by their content; the classic one's names mean nothing elsewhere.
      if (/^blobs\/sha256\/[0-9a-f]{64}$/.test(target)) cache.set(target, value);
      return value;
    });
    return { layout, parsed };
  }

  async function load(id: string, signal: AbortSignal | undefined): Promise<Contents> {
    const { layout, parsed } = await readThrough(id, layers, { of: (layer) => layer }, signal);
    return assemble(layout, parsed);
  }

  async function remember(id: string, signal: AbortSignal | undefined): Promise<Contents> {
    const known = images.get(id);
    if (known !== undefined) {
      try {
        return await known;
      } catch (error) {
        // The reading may have been somebody else's who has left; that is no reason to fail this one.
        if (images.get(id) === known || signal?.aborted === true) throw error;
        return remember(id, signal);
      }
    }
    const loading = load(id, signal);
    images.set(id, loading);
    try {
      const contents = await loading;
      forgetOldest(images, rememberedImages);
      return contents;
    } catch (error) {
      images.delete(id);
      throw error;
    }
  }

  async function resolve(ref: string, signal: AbortSignal | undefined): Promise<string> {
    const id = await source.resolve(ref, signal);
    if (id === null)
      throw new BallastError('image_not_found', { message: `There is no image "${ref}" in the sandbox.` });
    return id;
  }

  return {
    async read(ref, signal) {
      const id = await resolve(ref, signal);
      return { id, ref, ...(await remember(id, signal)) };
    },
    async search(ref, needles, signal) {
      const id = await resolve(ref, signal);
      const key = JSON.stringify(needles);
      const cache = searches.get(key) ?? new LayerCache<readonly LayerMatch[]>((matches) => matches.length + 1);
      searches.set(key, cache);
      forgetOldest(searches, rememberedSearches);
      const { layout, parsed } = await readThrough(id, cache, { needles, of: (layer) => layer.matches }, signal);
      const { merged } = await remember(id, signal);
      return findings(layout, parsed, needles, merged);
    },
  };
}

function findings(
  layout: Layout,
  parsed: readonly (readonly LayerMatch[])[],
  needles: readonly string[],
  merged: ImageContents['merged'],
): Finding[] {
  const inLayers = parsed.flatMap((matches, index) =>
    matches.map(({ needle, path }): Finding => {
      const hidden = isHidden(merged, index, path);
      return { needle: needles[needle] ?? '', where: 'layer', index, path, hidden };
    }),
  );
  const elsewhere = needles.flatMap((needle) => [
    ...(layout.strings.some((text) => text.includes(needle))
      ? [{ needle, where: 'config', index: 0, path: '', hidden: false } as const]
      : []),
    ...layout.history.flatMap(({ createdBy }, index) =>
      createdBy.includes(needle) ? [{ needle, where: 'history', index, path: createdBy, hidden: false } as const] : [],
    ),
  ]);
  return [...inLayers, ...elsewhere];
}

type Contents = Omit<ImageContents, 'id' | 'ref'>;

const textPaths = ['etc/passwd', 'etc/group'];

function assemble(layout: Layout, parsed: readonly ParsedLayer[]): Contents {
  const merged = mergeLayers(parsed);
  const text = textPaths.flatMap((path) => {
    const found = mergedText(parsed, merged, path);
    return found === undefined ? [] : [[path, found] as const];
  });
  return {
    sizeBytes: parsed.reduce((total, layer) => total + layer.sizeBytes, 0),
    layers: parsed.map((layer, index): ImageLayer => {
      const { digest = '', createdBy = '' } = layout.layers[index] ?? {};
      const { sizeBytes, entries, whiteouts, opaque, packages } = layer;
      return { digest, createdBy, sizeBytes, entries, whiteouts, opaque, packages };
    }),
    config: layout.config,
    history: layout.history,
    merged,
    text: new Map(text),
    // What lists them is a file like any other: a container sees the packages whose list it sees.
    packages: parsed.flatMap(({ packages }, index) => packages.filter(({ path }) => merged.get(path)?.layer === index)),
    wastedBytes: wastedBytes(parsed, merged),
  };
}

function forgetOldest(remembered: Map<string, unknown>, limit: number): void {
  for (const key of remembered.keys()) {
    if (remembered.size <= limit) return;
    remembered.delete(key);
  }
}
