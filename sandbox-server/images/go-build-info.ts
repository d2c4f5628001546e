/** What Go writes into each program about how it was made. */
export interface GoBuildInfo {
  /** Version of the toolchain, such as "go1.24.4". */
  readonly goVersion: string;
  /** The main module and those it uses. */
  readonly modules: readonly { readonly name: string; readonly version: string }[];
}

const magic = Buffer.from('\u{ff} Go buildinf:', 'latin1');
/** The section is aligned so, in memory and in the file. */
const alignment = 16;
const headerBytes = 32;
/** The strings stand in the section itself: so since Go 1.18. */
const inlineFlag = 2;
/** A program of a thousand modules has about 100 kB. */
const maxBytes = 256 * 1024;
/** A program may hold the mark as data, as debuggers do; this often it is looked at. */
const maxCandidates = 16;
/** Marks at both ends of the list of modules. */
const sentinelBytes = 16;

/** Finds Go's build information in a program that streams by, across the borders of chunks, and keeps no more than it. */
export class GoBuildInfoScanner {
  #position = 0;
  #tail: Buffer = Buffer.alloc(0);
  #candidate: Buffer[] | undefined;
  #candidateBytes = 0;
  #candidates = 0;
  #found: GoBuildInfo | undefined;

  write(chunk: Uint8Array): void {
    if (this.#found !== undefined || this.#candidates > maxCandidates) return;
    if (this.#candidate !== undefined) {
      this.#collect(Buffer.from(chunk));
      return;
    }
    const start = this.#position - this.#tail.byteLength;
    const bytes = Buffer.concat([this.#tail, chunk]);
    this.#position += chunk.byteLength;
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      if ((start + at) % alignment !== 0) continue;
      this.#candidates += 1;
      this.#candidate = [];
      this.#candidateBytes = 0;
      this.#collect(bytes.subarray(at));
      return;
    }
    // A copy, since the piece belongs to a buffer that goes on to somebody else.
    this.#tail = Buffer.from(bytes.subarray(Math.max(0, bytes.byteLength - magic.byteLength + 1)));
  }

  /** @returns what was found, or undefined for a program that Go did not make, or that an older one made. */
  end(): GoBuildInfo | undefined {
    while (this.#candidate !== undefined) this.#settle();
    return this.#found;
  }

  #collect(bytes: Buffer): void {
    // Copied, and whole, so that what comes after a candidate that is none is still looked through.
    this.#candidate?.push(Buffer.from(bytes));
    this.#candidateBytes += bytes.byteLength;
    if (this.#candidateBytes >= maxBytes) this.#settle();
  }

  #settle(): void {
    const bytes = Buffer.concat(this.#candidate ?? []);
    this.#candidate = undefined;
    this.#found = parseGoBuildInfo(bytes);
    // The mark was data: what it hid is looked through for the real one.
    if (this.#found !== undefined || this.#candidates > maxCandidates) return;
    // Only the place within the alignment counts, and the candidate stood on it.
    this.#position = 1;
    this.#tail = Buffer.alloc(0);
    this.write(bytes.subarray(1));
  }
}

/**
 * Read the section that begins with the mark.
 * @returns undefined when it is cut off, of a Go before 1.18, or something else.
 */
export function parseGoBuildInfo(bytes: Buffer): GoBuildInfo | undefined {
  if (bytes.byteLength < headerBytes || ((bytes[15] ?? 0) & inlineFlag) === 0) return undefined;
  const version = takeString(bytes, headerBytes);
  if (version === undefined || !/^(go|devel)[\w.\-+ :]*/.test(version.bytes.toString('utf8'))) return undefined;
  const list = takeString(bytes, version.end);
  const goVersion = version.bytes.toString('utf8');
  if (list === undefined || list.bytes.byteLength < 2 * sentinelBytes + 1) return { goVersion, modules: [] };
  const text = list.bytes.subarray(sentinelBytes, -sentinelBytes).toString('utf8');
  const modules = text.split('\n').flatMap((line) => {
    const [kind, name, of] = line.split('\t');
    return (kind === 'mod' || kind === 'dep') && name !== undefined ? [{ name, version: of ?? '' }] : [];
  });
  return { goVersion, modules };
}

/** A string after its length, which is written in groups of seven bits. */
function takeString(bytes: Buffer, start: number): { bytes: Buffer; end: number } | undefined {
  let length = 0;
  let at = start;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    at += 1;
    length += (byte & 0x7f) << shift;
    if (byte < 0x80)
      return at + length <= bytes.byteLength ? { bytes: bytes.subarray(at, at + length), end: at + length } : undefined;
  }
  return undefined;
}
