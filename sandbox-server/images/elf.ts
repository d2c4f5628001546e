import { GoBuildInfoScanner } from './go-build-info.ts';
import type { GoBuildInfo } from './go-build-info.ts';
import type { Bytes } from './untar.ts';

/** What an ELF file needs to run. */
export interface ElfFacts {
  /** `static`: it asks for no loader and for no library, position-independent or not. `unknown`: its headers make no sense. */
  readonly linkage: 'static' | 'dynamic' | 'unknown';
  /** The loader it asks for, such as "/lib64/ld-linux-x86-64.so.2"; "" when none. */
  readonly interpreter: string;
}

/** Enough for the header, the program headers and the loader's name of any ordinary linker's output. */
export const elfHeadBytes = 4096;

/** A dynamic section of more than four thousand entries is none. */
const maxDynamicBytes = 64 * 1024;

export const isElf = (head: Uint8Array): boolean =>
  head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;

interface Segment {
  readonly offset: number;
  readonly size: number;
}

interface ElfHeader {
  readonly wide: boolean;
  readonly littleEndian: boolean;
  readonly interpreter: string | undefined;
  readonly dynamic: Segment | undefined;
}

const segmentTypes = { dynamic: 2, interpreter: 3 } as const;

/**
 * What the first bytes of an ELF file say. Every number in them may be a lie.
 * @returns undefined when they make no sense
 */
export function parseElfHeader(head: Uint8Array): ElfHeader | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  try {
    const wide = view.getUint8(4) === 2;
    const littleEndian = view.getUint8(5) === 1;
    const word = (at: number): number =>
      wide ? Number(view.getBigUint64(at, littleEndian)) : view.getUint32(at, littleEndian);
    const start = word(wide ? 32 : 28);
    const entrySize = view.getUint16(wide ? 54 : 42, littleEndian);
    const count = view.getUint16(wide ? 56 : 44, littleEndian);
    let interpreter: string | undefined;
    let dynamic: Segment | undefined;
    for (let index = 0; index < count; index += 1) {
      const at = start + index * entrySize;
      const type = view.getUint32(at, littleEndian);
      const segment = { offset: word(at + (wide ? 8 : 4)), size: word(at + (wide ? 32 : 16)) };
      if (type === segmentTypes.dynamic) dynamic = segment;
      if (type === segmentTypes.interpreter) interpreter = textAt(head, segment);
    }
    return { wide, littleEndian, interpreter, dynamic };
  } catch (error) {
    // Reading past the end of the first bytes is how a lie shows.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function textAt(head: Uint8Array, { offset, size }: Segment): string {
  const bytes = Buffer.from(head.subarray(offset, Math.min(offset + size, offset + 256)));
  return bytes.toString('latin1').replace(/\0.*$/s, '');
}

/** Whether a dynamic section names any library. */
export function needsLibraries(section: Uint8Array, wide: boolean, littleEndian: boolean): boolean {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  const step = wide ? 16 : 8;
  for (let at = 0; at + step <= section.byteLength; at += step) {
    const tag = wide ? Number(view.getBigInt64(at, littleEndian)) : view.getInt32(at, littleEndian);
    if (tag === 0) return false;
    if (tag === 1) return true;
  }
  return false;
}

/**
 * Read an ELF file as it streams by, keeping no more than its dynamic section and Go's build information.
 * @param head its first bytes, `elfHeadBytes` of them where there are as many
 * @param body the whole file, the first bytes included
 */
export async function readElf(head: Uint8Array, body: Bytes): Promise<{ elf: ElfFacts; go: GoBuildInfo | undefined }> {
  const header = parseElfHeader(head);
  const wanted = header?.dynamic;
  const dynamic = Buffer.alloc(Math.min(wanted?.size ?? 0, maxDynamicBytes));
  const scanner = new GoBuildInfoScanner();
  let position = 0;
  for await (const chunk of body) {
    if (wanted !== undefined) copyOverlap(chunk, position, dynamic, wanted.offset);
    scanner.write(chunk);
    position += chunk.byteLength;
  }
  const go = scanner.end();
  if (header === undefined) return { elf: { linkage: 'unknown', interpreter: '' }, go };
  const { interpreter, wide, littleEndian } = header;
  const isDynamic = interpreter !== undefined || needsLibraries(dynamic, wide, littleEndian);
  return { elf: { linkage: isDynamic ? 'dynamic' : 'static', interpreter: interpreter ?? '' }, go };
}

/** Copy what a chunk that begins at `position` of the file has of the range that begins at `offset`. */
function copyOverlap(chunk: Uint8Array, position: number, range: Buffer, offset: number): void {
  const from = Math.max(offset, position);
  const to = Math.min(offset + range.byteLength, position + chunk.byteLength);
  if (from < to) range.set(chunk.subarray(from - position, to - position), from - offset);
}
