import { createGunzip, createZstdDecompress } from 'node:zlib';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { malformed, tooLarge } from './archive-error.ts';
import type { Bytes } from './untar.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

/** Below this a high ratio is no danger: an empty layer of a few zeros compresses well. */
const ratioFrom = 1024 ** 2;

/** How the bytes that begin with `head` are compressed. */
export function detectCompression(head: Uint8Array): Compression {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return 'zstd';
  return 'none';
}

/**
 * Undo the compression, a piece at a time.
 * @throws BallastError too_large past `maxRatio`, image_unreadable when the data is broken.
 */
export async function* decompress(source: Bytes, compression: Compression, maxRatio: number): Bytes {
  if (compression === 'none') {
    yield* source;
    return;
  }
  let read = 0;
  let written = 0;
  const counted = async function* (): Bytes {
    for await (const chunk of source) {
      read += chunk.byteLength;
      yield chunk;
    }
  };
  const unpacker = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  const feeding = pipeline(Readable.from(counted(), { objectMode: false }), unpacker);
  feeding.catch(() => undefined);
  try {
    for await (const chunk of unpacker as AsyncIterable<Buffer>) {
      written += chunk.byteLength;
      if (written > ratioFrom && written > read * maxRatio) throw tooLarge('a layer unpacks to far more than it holds');
      yield chunk;
    }
    await feeding;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && /^(Z_|ZSTD_|ERR_ZSTD)/.test(code))
      throw malformed('a compressed layer is damaged', error);
    throw error;
  } finally {
    unpacker.destroy();
  }
}
