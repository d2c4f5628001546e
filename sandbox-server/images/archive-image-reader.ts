import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { BallastError } from '../protocol/index.ts';
import { malformed, tooLarge } from './archive-error.ts';
import { tooManyNames } from './budget.ts';
import { defaultCaps } from './caps.ts';
import type { ImageCaps } from './caps.ts';
import type { Finding, ImageContents, ImageLayer, ImageReader } from './image-reader.ts';
import { LayerKnowledge } from './layer-memory.ts';
import type { LayerMemory } from './layer-memory.ts';
import type { LayerMatch, ParsedLayer } from './layer.ts';
import { layoutOf, readLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import { mergeLayers, mergedText } from './merged-view.ts';
import { readInWorker } from './read-in-worker.ts';
import { isHidden, wastedBytes } from './wasted-bytes.ts';

/** An image as its engine names it now. */
export interface ResolvedImage {
  /** "sha256:…" */
  readonly id: string;
  /** The configuration, as the engine keeps it; it counts only where the id is its digest. */
  readonly config?: string;
}

/** Where images come from. */
export interface ImageSource {
  /** The image that a reference stands for now, or null when there is no such image. */
  resolve(ref: string, signal?: AbortSignal): Promise<ResolvedImage | null>;
  /**
   * The archive of one image, as `docker save` writes it.
   * @param known diff ids ("sha256:…") of layers that may be left out
   */
  save(id: string, signal?: AbortSignal, known?: readonly string[]): Promise<Readable>;
}

/** Images whose contents are remembered; layers are shared between them. */
const rememberedImages = 6;
/** Paths of all of these together: past it, only what was read last is remembered. */
const rememberedPaths = 400_000;

/**
 * A reader that asks `source` for each image once, and reads each layer once.
 * Contents are remembered by the image's id, so an image built anew under the same name is read anew. Where the source
 * tells the configuration of an image, only those of its layers are asked for that nobody has read yet.
 * @param knowledge what is known of layers by their digest; readers of several sandboxes may share it
 */
export function createArchiveImageReader(
  source: ImageSource,
  caps: ImageCaps = defaultCaps,
  knowledge = new LayerKnowledge(),
): ImageReader {
  const images = new Map<string, Promise<Contents>>();
  /** Paths of those that have been read. */
  const paths = new Map<string, number>();

  /** Read an image but for the layers that `memory` has; what there is of each layer goes there. */
  async function readThrough<Value>(
    { id, config }: ResolvedImage,
    memory: LayerMemory<Value>,
    options: { readonly needles?: readonly string[]; readonly of: (layer: ParsedLayer) => Value },
    signal: AbortSignal | undefined,
  ): Promise<{ layout: Layout; parsed: Value[] }> {
    const { of, ...rest } = options;
    const told = config !== undefined && isDigestOf(id, config) ? layoutOf(config) : undefined;

    const readArchive = async (held: ReadonlyMap<string, Value>): Promise<{ layout: Layout; parsed: Value[] }> => {
      const stream = await source.save(id, signal, told === undefined ? [] : [...held.keys()].map(toDigest));
      const archive = await readInWorker(stream, { caps, known: new Set(held.keys()), ...rest }, signal);
      const layout = told ?? readLayout(archive.documents);
      const parsed: Value[] = [];
      for (const { name } of layout.layers) {
        const target = archive.links.get(name) ?? name;
        const read = archive.layers.get(target);
        const value = read === undefined ? held.get(target) : of(read);
        if (value === undefined) throw malformed(`its layer ${name} is missing`);
        // Only the OCI layout names layers by their content; the classic one's names mean nothing elsewhere.
        if (read !== undefined && blobName.test(target)) await memory.set(target, value, read.sizeBytes);
        parsed.push(value);
      }
      return { layout, parsed };
    };

    // Held, so that nobody else's images push out what this one is told not to send.
    if (told === undefined) return readArchive(memory.snapshot());
    const names = told.layers.map(({ name }) => name);
    return memory.reading(
      names,
      async (known) => {
        const parsed = names.map((name) => known.get(name)).filter((value) => value !== undefined);
        return parsed.length < names.length ? readArchive(known) : { layout: told, parsed };
      },
      signal,
    );
  }

  async function load(image: ResolvedImage, signal: AbortSignal | undefined): Promise<Contents> {
    const { layout, parsed } = await readThrough(image, knowledge.layers, { of: (layer) => layer }, signal);
    checkCaps(parsed, caps);
    return assemble(layout, parsed);
  }

  async function remember(image: ResolvedImage, signal: AbortSignal | undefined): Promise<Contents> {
    const { id } = image;
    const known = images.get(id);
    if (known !== undefined) {
      try {
        return await known;
      } catch (error) {
        // The reading may have been somebody else's who has left; that is no reason to fail this one.
        if (images.get(id) === known || signal?.aborted === true) throw error;
        return remember(image, signal);
      }
    }
    const loading = load(image, signal);
    images.set(id, loading);
    try {
      const contents = await loading;
      paths.set(id, contents.merged.size);
      forgetOldest(id);
      return contents;
    } catch (error) {
      images.delete(id);
      throw error;
    }
  }

  /** @param newest is kept, however large */
  function forgetOldest(newest: string): void {
    const allPaths = (): number => [...images.keys()].reduce((sum, id) => sum + (paths.get(id) ?? 0), 0);
    for (const id of images.keys()) {
      if (images.size <= rememberedImages && allPaths() <= rememberedPaths) return;
      if (id === newest) continue;
      images.delete(id);
      paths.delete(id);
    }
  }

  async function resolve(ref: string, signal: AbortSignal | undefined): Promise<ResolvedImage> {
    const image = await source.resolve(ref, signal);
    if (image === null)
      throw new BallastError('image_not_found', { message: `There is no image "${ref}" in the sandbox.` });
    return image;
  }

  return {
    async read(ref, signal) {
      const image = await resolve(ref, signal);
      return { id: image.id, ref, ...(await remember(image, signal)) };
    },
    async search(ref, needles, signal) {
      const image = await resolve(ref, signal);
      const memory = knowledge.matches(needles);
      const { layout, parsed } = await readThrough(image, memory, { needles, of: (layer) => layer.matches }, signal);
      const { merged } = await remember(image, signal);
      return findings(layout, parsed, needles, merged);
    },
  };
}

const blobName = /^blobs\/sha256\/[0-9a-f]{64}$/;

/** "blobs/sha256/…" as "sha256:…". */
const toDigest = (name: string): string => name.replace(/^blobs\//, '').replace('/', ':');

const isDigestOf = (id: string, text: string): boolean =>
  id === `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** Layers that were read before count too, and one that an image names a hundred times counts a hundred times. */
function checkCaps(layers: readonly ParsedLayer[], caps: ImageCaps): void {
  if (layers.length > caps.layers) throw tooLarge(`it has more than ${String(caps.layers)} layers`);
  const total = (count: (layer: ParsedLayer) => number): number => layers.reduce((sum, layer) => sum + count(layer), 0);
  const entries = total((layer) => layer.entries.length + layer.whiteouts.length + layer.opaque.length);
  if (entries > caps.entries) throw tooLarge(`it has more than ${String(caps.entries)} files`);
  if (total((layer) => layer.pathNames) > caps.pathNames) throw tooLarge(tooManyNames);
  if (total((layer) => layer.packages.length) > caps.packages) throw tooLarge('it lists too many packages');
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
    ...layout.history.flatMap(({ createdBy }, index) => {
      const path = [createdBy, ...(layout.historyStrings[index] ?? [])].find((text) => text.includes(needle));
      return path === undefined ? [] : [{ needle, where: 'history', index, path, hidden: false } as const];
    }),
  ]);
  return [...inLayers, ...elsewhere];
}

type Contents = Omit<ImageContents, 'id' | 'ref'>;

const textPaths = ['etc/passwd', 'etc/group', 'etc/os-release'];

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
