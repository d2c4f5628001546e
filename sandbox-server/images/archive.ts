import { createHash } from 'node:crypto';
import { malformed } from './archive-error.ts';
import { Budget } from './budget.ts';
import type { ImageCaps } from './caps.ts';
import { decompress, detectCompression } from './decompress.ts';
import { readLayer } from './layer.ts';
import type { ParsedLayer } from './layer.ts';
import { normalizePath } from './paths.ts';
import { drain, peek } from './peek.ts';
import { untar } from './untar.ts';
import type { Bytes } from './untar.ts';

/** All that is kept of a `docker save` archive: its JSON documents and the contents of its layers, by name. */
export interface Archive {
  readonly documents: ReadonlyMap<string, string>;
  readonly layers: ReadonlyMap<string, ParsedLayer>;
  /** Names that are links to other names: older engines store a layer that occurs twice this way. */
  readonly links: ReadonlyMap<string, string>;
}

/** Enough to tell a tar by its magic. */
const headBytes = 512;

/**
 * Read an archive in one pass. Blobs come before the manifest that says what they are, so each is told by its content.
 * @param known names of layers that need no reading, since the caller has them already.
 * @param needles strings to look for in every layer
 * @throws BallastError too_large past a cap, image_unreadable when the archive is broken.
 */
export async function readArchive(
  source: Bytes,
  caps: ImageCaps,
  known: ReadonlySet<string>,
  needles: readonly string[] = [],
): Promise<Archive> {
  const budget = new Budget(caps);
  const documents = new Map<string, string>();
  const layers = new Map<string, ParsedLayer>();
  const links = new Map<string, string>();

  const counted = async function* (): Bytes {
    for await (const chunk of source) {
      budget.addArchiveBytes(chunk.byteLength);
      yield chunk;
    }
  };

  await untar(counted(), async ({ header, linkTarget, body }) => {
    const name = normalizePath(header.name);
    if (header.type === 'symlink') links.set(name, normalizePath(`${name}/../${linkTarget}`));
    if (header.type === 'link') links.set(name, normalizePath(linkTarget));
    if (header.type !== 'file' || known.has(name)) return;

    const { head, body: whole } = await peek(body, headBytes);
    const compression = detectCompression(head);
    if (compression !== 'none' || isTar(head)) {
      budget.addLayer();
      const honest = verified(whole, name);
      layers.set(name, await readLayer(decompress(honest, compression, caps.ratio), budget, needles));
    } else if (isJson(head)) {
      budget.addDocument();
      budget.addText(`its document ${name}`, header.size);
      documents.set(name, await readAll(whole));
    } else {
      await drain(whole);
    }
  });
  return { documents, layers, links };
}

/**
 * Where a layer is named by its digest, make sure that it is that: what is known of a layer is remembered under this
 * name for other images, and these come from engines of people who may lie.
 */
async function* verified(body: Bytes, name: string): Bytes {
  const digest = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
  if (digest === undefined) {
    yield* body;
    return;
  }
  const hash = createHash('sha256');
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== digest) throw malformed('a layer in it is not the one that its name says');
}

const blank = new Uint8Array(headBytes);

/** An empty layer is a tar of nothing but zeros. */
const isTar = (head: Uint8Array): boolean =>
  Buffer.from(head.subarray(257, 262)).toString('latin1') === 'ustar' ||
  (head.byteLength === headBytes && Buffer.compare(head, blank) === 0);

const isJson = (head: Uint8Array): boolean => /^\s*[{[]/.test(Buffer.from(head.subarray(0, 16)).toString('latin1'));

async function readAll(body: Bytes): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
