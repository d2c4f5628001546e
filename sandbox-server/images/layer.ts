import { posix } from 'node:path';
import type { Header } from 'tar-stream';
import { malformed } from './archive-error.ts';
import type { Budget } from './budget.ts';
import type { LayerEntry } from './image-reader.ts';
import { normalizePath } from './paths.ts';
import { untar } from './untar.ts';
import type { Bytes } from './untar.ts';

/** What one layer's tar holds; who made it is said by the image, not by the layer. */
export interface ParsedLayer {
  readonly sizeBytes: number;
  readonly entries: readonly LayerEntry[];
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
  /** Text of the files named in `textFiles`. */
  readonly text: ReadonlyMap<string, string>;
}

/** Files whose text is kept: who is who in the image. */
const textFiles: ReadonlySet<string> = new Set(['etc/passwd', 'etc/group']);

const whiteoutPrefix = '.wh.';
const opaqueMarker = '.wh..wh..opq';

/**
 * Read one uncompressed layer.
 * @throws BallastError too_large past a cap, image_unreadable when it is not a tar.
 */
export async function readLayer(source: Bytes, budget: Budget): Promise<ParsedLayer> {
  const entries: LayerEntry[] = [];
  const whiteouts: string[] = [];
  const opaque: string[] = [];
  const text = new Map<string, string>();
  let sizeBytes = 0;

  const counted = async function* (): Bytes {
    for await (const chunk of source) {
      sizeBytes += chunk.byteLength;
      budget.addLayerBytes(chunk.byteLength);
      yield chunk;
    }
  };

  await untar(counted(), async ({ header, linkTarget, body }) => {
    const path = normalizePath(header.name);
    budget.addEntry(path, linkTarget);
    if (path === '') return;
    const name = posix.basename(path);
    if (name === opaqueMarker) {
      opaque.push(normalizePath(posix.dirname(path)));
    } else if (name.startsWith(whiteoutPrefix)) {
      // ".wh..wh.*" are notes that aufs left for itself.
      if (!name.startsWith('.wh..wh.'))
        whiteouts.push(posix.join(posix.dirname(path), name.slice(whiteoutPrefix.length)));
    } else {
      entries.push(toEntry(path, header, linkTarget));
      if (textFiles.has(path) && isFile(header)) text.set(path, await readText(body, header.size, budget));
    }
  });
  return { sizeBytes, entries, whiteouts, opaque, text };
}

const types: Readonly<Partial<Record<Header['type'], LayerEntry['type']>>> = {
  link: 'hardlink',
  symlink: 'symlink',
  directory: 'directory',
  'character-device': 'device',
  'block-device': 'device',
  fifo: 'fifo',
};

const isFile = (header: Header): boolean => header.type === 'file' || header.type === 'contiguous-file';

function toEntry(path: string, header: Header, linkTarget: string): LayerEntry {
  const type = types[header.type] ?? 'file';
  const entry = {
    path,
    type,
    sizeBytes: type === 'file' ? header.size : 0,
    mode: header.mode,
    uid: header.uid,
    gid: header.gid,
  };
  if (type === 'hardlink') return { ...entry, linkTarget: normalizePath(linkTarget) };
  return type === 'symlink' ? { ...entry, linkTarget } : entry;
}

async function readText(body: Bytes, size: number, budget: Budget): Promise<string> {
  if (size > budget.caps.documentBytes) throw malformed('a small system file in it is huge');
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
