export interface MadeElf {
  readonly interpreter?: string;
  /** Whether it names a library. */
  readonly needed?: boolean;
  readonly littleEndian?: boolean;
  /** Where in the file the dynamic section stands. */
  readonly dynamicAt?: number;
}

/** A 64-bit ELF file with a dynamic section, of no code at all. */
export function makeElf({
  interpreter,
  needed = false,
  littleEndian = true,
  dynamicAt = 20_000,
}: MadeElf = {}): Buffer {
  const bytes = Buffer.alloc(dynamicAt + 64);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const long = (at: number, value: number): void => {
    view.setBigUint64(at, BigInt(value), littleEndian);
  };
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, littleEndian ? 1 : 2, 1]);
  long(32, 64);
  view.setUint16(54, 56, littleEndian);
  view.setUint16(56, 2, littleEndian);
  const segment = (index: number, type: number, offset: number, size: number): void => {
    const at = 64 + index * 56;
    view.setUint32(at, type, littleEndian);
    long(at + 8, offset);
    long(at + 32, size);
  };
  segment(0, 2, dynamicAt, 64);
  if (interpreter !== undefined) {
    bytes.write(`${interpreter}\0`, 512, 'latin1');
    segment(1, 3, 512, interpreter.length + 1);
  }
  // An entry of no interest, then perhaps DT_NEEDED, then the end.
  long(dynamicAt, 5);
  if (needed) long(dynamicAt + 16, 1);
  return bytes;
}

/** The section with Go's build information, as `go build` writes it since Go 1.18. */
export function makeGoBuildInfo(goVersion: string, modules: string): Buffer {
  const header = Buffer.alloc(32);
  header.write('\u{ff} Go buildinf:', 'latin1');
  header[14] = 8;
  header[15] = 2;
  const sentinel = Buffer.alloc(16, 0x30);
  const text = (bytes: Buffer): Buffer => Buffer.concat([lengthOf(bytes.byteLength), bytes]);
  return Buffer.concat([
    header,
    text(Buffer.from(goVersion)),
    text(Buffer.concat([sentinel, Buffer.from(modules), sentinel])),
  ]);
}

function lengthOf(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
