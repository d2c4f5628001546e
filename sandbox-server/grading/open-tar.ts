import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/**
 * The bytes of a tar, unpacked where they come gzipped, which is told by their magic number and not by a name.
 * Nothing is read ahead but the first bytes, so that whoever reads can stop a gzip bomb at any time.
 */
export function openTar(source: Readable): Readable {
  return Readable.from(unpacked(source), { objectMode: false });
}

async function* unpacked(source: Readable): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let head = Buffer.alloc(0);
  while (head.byteLength < 2) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    if (head.byteLength > 0) yield head;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  };
  if (head[0] !== 0x1f || head[1] !== 0x8b) {
    yield* whole();
    return;
  }
  const packed = Readable.from(whole(), { objectMode: false });
  const gunzip = createGunzip();
  packed.on('error', (error) => {
    gunzip.destroy(error);
  });
  try {
    for await (const chunk of packed.pipe(gunzip)) yield chunk as Uint8Array;
  } finally {
    packed.destroy();
    gunzip.destroy();
  }
}
