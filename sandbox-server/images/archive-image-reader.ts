import type { Readable } from 'node:stream';
import { BallastError } from '../protocol/index.ts';
import { malformed } from './archive-error.ts';
import { defaultCaps } from './caps.ts';
import type { ImageCaps } from './caps.ts';
import type { ImageContents, ImageLayer, ImageReader } from './image-reader.ts';
import type { ParsedLayer } from './layer.ts';
import { readLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { mergeLayers, mergedText } from './merged-view.ts';
import { readInWorker } from './read-in-worker.ts';

/** Where images come from. */
export interface ImageSource {
  /** The id ("sha256:…") that a reference stands for now, or null when there is no such image. */
  resolve(ref: string, signal?: AbortSignal): Promise<string | null>;
  /** The archive of one image, as `docker save` writes it. */
  save(id: string, signal?: AbortSignal): Promise<Readable>;
}

/** Images whose contents are remembered; layers are shared between them. */
const rememberedImages = 6;

/**
 * A reader that asks `source` for each image once, and reads each layer once.
 * Contents are remembered by the image's id, so an image built anew under the same name is read anew.
 */
export function createArchiveImageReader(source: ImageSource, caps: ImageCaps = defaultCaps): ImageReader {
  const images = new Map<string, Promise<Contents>>();
  const layers = new Map<string, ParsedLayer>();

  async function load(id: string, signal: AbortSignal | undefined): Promise<Contents> {
    const stream = await source.save(id, signal);
    const archive = await readInWorker(stream, { caps, known: new Set(layers.keys()) }, signal);
    const layout = readLayout(archive.documents);
    const parsed = layout.layers.map(({ name }) => {
      const target = archive.links.get(name) ?? name;
      const layer = archive.layers.get(target) ?? layers.get(target);
      if (layer === undefined) throw malformed(`its layer ${name} is missing`);
      // Only the OCI layout names layers by their content; the classic one's names mean nothing elsewhere.
      if (target.startsWith('blobs/sha256/')) layers.set(target, layer);
      return layer;
    });
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
      forgetOldest(images);
      return contents;
    } catch (error) {
      images.delete(id);
      throw error;
    }
  }

  return {
    async read(ref, signal) {
      const id = await source.resolve(ref, signal);
      if (id === null)
        throw new BallastError('image_not_found', { message: `There is no image "${ref}" in the sandbox.` });
      return { id, ref, ...(await remember(id, signal)) };
    },
  };
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
      const { sizeBytes, entries, whiteouts, opaque } = layer;
      return { digest, createdBy, sizeBytes, entries, whiteouts, opaque };
    }),
    config: layout.config,
    merged,
    text: new Map(text),
  };
}

function forgetOldest(images: Map<string, unknown>): void {
  for (const id of images.keys()) {
    if (images.size <= rememberedImages) return;
    images.delete(id);
  }
}
