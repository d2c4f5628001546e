import { posix } from 'node:path';
import type { Header } from 'tar-stream';
import { countNames } from './budget.ts';
import type { Budget } from './budget.ts';
import { elfHeadBytes, isElf, readElf } from './elf.ts';
import type { ElfFacts } from './elf.ts';
import type { LayerEntry } from './image-reader.ts';
import { NeedleSearch } from './needles.ts';
import { goPackages, packageFile } from './packages.ts';
import type { ImagePackage } from './packages.ts';
import { normalizePath } from './paths.ts';
import { drain, peek } from './peek.ts';
import { untar } from './untar.ts';
import type { Bytes } from './untar.ts';

/** What one layer's tar holds; who made it is said by the image, not by the layer. */
export interface ParsedLayer {
  readonly sizeBytes: number;
  /** Names in the paths of all entries and deletions together, for the cap on them. */
  readonly pathNames: number;
  readonly entries: readonly LayerEntry[];
  readonly whiteouts: readonly string[];
  readonly opaque: readonly string[];
  /** Text of the files named in `textFiles`. */
  readonly text: ReadonlyMap<string, string>;
  readonly packages: readonly ImagePackage[];
  /** Where the strings that were looked for are, each file once for each string. */
  readonly matches: readonly LayerMatch[];
}

export interface LayerMatch {
  /** Index of the string among those looked for. */
  readonly needle: number;
  readonly path: string;
}

/** Files whose text is kept: who is who in the image, and of what distribution it is. */
const textFiles: ReadonlySet<string> = new Set(['etc/passwd', 'etc/group', 'etc/os-release', 'usr/lib/os-release']);

const whiteoutPrefix = '.wh.';
const opaqueMarker = '.wh..wh..opq';

/** After this many files with a secret there is no need for more. */
const maxMatches = 100;

/**
 * Read one uncompressed layer, keeping of each file no more than is asked for.
 * @param needles strings to look for in every file, name and link; none of them empty
 * @throws BallastError too_large past a cap, image_unreadable when it is not a tar.
 */
export async function readLayer(source: Bytes, budget: Budget, needles: readonly string[] = []): Promise<ParsedLayer> {
  const entries: LayerEntry[] = [];
  const whiteouts: string[] = [];
  const opaque: string[] = [];
  const text = new Map<string, string>();
  const packages: ImagePackage[] = [];
  const matches: LayerMatch[] = [];
  let pathNames = 0;
  const wanted = needles.map((needle) => Buffer.from(needle));

  const note = (path: string, search: NeedleSearch): void => {
    for (const needle of search.found) if (matches.length < maxMatches) matches.push({ needle, path });
  };

  const counted = async function* (): Bytes {
    for await (const chunk of source) {
      budget.addLayerBytes(chunk.byteLength);
      yield chunk;
    }
  };

  await untar(counted(), async ({ header, linkTarget, body }) => {
    const path = normalizePath(header.name);
    budget.addEntry(path, linkTarget);
    if (path === '') return;
    pathNames += countNames(path);
    const name = posix.basename(path);
    const search = wanted.length === 0 ? undefined : new NeedleSearch(wanted);
    search?.write(Buffer.from(`${header.name}\n${linkTarget}\n`));
    if (name.startsWith(whiteoutPrefix)) {
      // The name of what is deleted may tell as much as that of what is there.
      if (search !== undefined) note(path, search);
      if (name === opaqueMarker) opaque.push(normalizePath(posix.dirname(path)));
      // ".wh..wh.*" are notes that aufs left for itself.
      else if (!name.startsWith('.wh..wh.'))
        whiteouts.push(posix.join(posix.dirname(path), name.slice(whiteoutPrefix.length)));
    } else {
      const searched = search === undefined ? body : searching(body, search);
      const facts = isFile(header) && header.size > 0 ? await readFile(path, header, searched, budget) : noFacts;
      if (search !== undefined) note(path, search);
      entries.push(toEntry(path, header, linkTarget, facts.elf));
      if (facts.text !== undefined) text.set(path, facts.text);
      if (facts.packages !== undefined) {
        budget.addPackages(facts.packages.length);
        for (const each of facts.packages) packages.push(each);
      }
    }
  });
  const sizeBytes = entries.reduce((sum, entry) => sum + entry.sizeBytes, 0);
  return { sizeBytes, pathNames, entries, whiteouts, opaque, text, packages, matches };
}

async function* searching(body: Bytes, search: NeedleSearch): Bytes {
  for await (const chunk of body) {
    search.write(chunk);
    yield chunk;
  }
}

interface FileFacts {
  readonly text?: string;
  readonly elf?: ElfFacts;
  readonly packages?: readonly ImagePackage[];
}

const noFacts: FileFacts = {};

/** What there is to know of one file; all of it is read to the end. */
async function readFile(path: string, header: Header, body: Bytes, budget: Budget): Promise<FileFacts> {
  if (textFiles.has(path)) {
    budget.addText(`/${path}`, header.size);
    return { text: await readText(body, budget.caps.documentBytes) };
  }
  const list = packageFile(path);
  if (list !== undefined) return { packages: list.parse(await readText(body, list.maxBytes), path) };
  if ((header.mode & 0o111) === 0) {
    await drain(body);
    return noFacts;
  }
  const { head, body: whole } = await peek(body, elfHeadBytes);
  if (!isElf(head)) {
    await drain(whole);
    return noFacts;
  }
  const { elf, go } = await readElf(head, whole);
  return go === undefined ? { elf } : { elf, packages: goPackages(go, path) };
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

function toEntry(path: string, header: Header, linkTarget: string, elf: ElfFacts | undefined): LayerEntry {
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
  if (type === 'symlink') return { ...entry, linkTarget };
  return elf === undefined ? entry : { ...entry, elf };
}

/** The first `limit` bytes as text; all of the file is read. */
async function readText(body: Bytes, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let room = limit;
  for await (const chunk of body) {
    if (room > 0) chunks.push(chunk.subarray(0, room));
    room -= chunk.byteLength;
  }
  return Buffer.concat(chunks).toString('utf8');
}
