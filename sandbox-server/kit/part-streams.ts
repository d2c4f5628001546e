import { createHash } from 'node:crypto';
import { pipeline, Transform, type Readable, type TransformCallback } from 'node:stream';
import { constants, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { KitError, partStream } from '../../bin/kit-file.mjs';
import type { OpenedKit } from './kit-manifest.ts';

type OnBytes = (bytes: number) => void;

/** Fast: on two cores, faster than what it compresses can be read from most disks. */
const zstdLevel = 3;
const gzipLevel = 4;

/** Passes bytes through, calling `onBytes` with how many so far; `atEnd` may refuse them. */
class Meter extends Transform {
  bytes = 0;
  readonly #onBytes: (bytes: number, chunk: Buffer) => void;
  readonly #atEnd: (bytes: number) => void;

  constructor(onBytes: (bytes: number, chunk: Buffer) => void, atEnd: (bytes: number) => void = () => undefined) {
    super();
    this.#onBytes = onBytes;
    this.#atEnd = atEnd;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    try {
      this.bytes += chunk.length;
      this.#onBytes(this.bytes, chunk);
      callback(null, chunk);
    } catch (error) {
      callback(error as Error);
    }
  }

  override _flush(callback: TransformCallback): void {
    try {
      this.#atEnd(this.bytes);
      callback();
    } catch (error) {
      callback(error as Error);
    }
  }
}

/** A stream on its way into a kit. */
export interface PackedPart {
  readonly stream: Readable;
  /** Bytes before they were compressed, once the stream has ended. @throws when it ended before its source did */
  readonly unpackedBytes: () => number;
}

/** @param name says how to compress: a name in `.gz` or `.zst` */
export function packPart(name: string, source: Readable, onBytes: OnBytes): PackedPart {
  let total: number | undefined;
  const meter = new Meter(onBytes, (bytes) => {
    total = bytes;
  });
  const compressor = name.endsWith('.gz')
    ? createGzip({ level: gzipLevel })
    : createZstdCompress({
        // Not with workers (ZSTD_c_nbWorkers): Node's stream then ends before its input does.
        params: { [constants.ZSTD_c_compressionLevel]: zstdLevel },
      });
  // Errors come out of the last stream.
  const stream = pipeline(source, meter, compressor, () => undefined);
  const unpackedBytes = (): number => {
    if (total === undefined) throw new Error(`${name} was cut off.`);
    return total;
  };
  return { stream, unpackedBytes };
}

/**
 * The bytes of a part, unpacked. The kit may have changed since it was verified, and what is compressed may be of any
 * size: the stream fails at its end unless it was what the manifest says.
 */
export function unpackPart(kit: OpenedKit, name: string, onBytes: OnBytes = () => undefined): Readable {
  const part = kit.manifest.parts.find((one) => one.name === name);
  if (part === undefined) throw new Error(`A kit has no part ${name}.`);
  const wrong = (what: string): KitError =>
    new KitError('kit_damaged', `${kit.file} is damaged: ${name} ${what}.`, 'Copy the kit again, or export it again.');
  const sum = createHash('sha256');
  const packed = new Meter(
    (_bytes, chunk) => sum.update(chunk),
    () => {
      if (sum.digest('hex') !== part.sha256) throw wrong('changed while it was read');
    },
  );
  const unpacked = new Meter(
    (bytes) => {
      if (bytes > part.unpackedBytes) throw wrong('unpacks to more than the kit says');
      onBytes(bytes);
    },
    (bytes) => {
      if (bytes !== part.unpackedBytes) throw wrong('unpacks to less than the kit says');
    },
  );
  return pipeline(partStream(kit, name), packed, createZstdDecompress(), unpacked, () => undefined);
}
