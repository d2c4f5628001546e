import type { Bytes } from './untar.ts';

/**
 * The first `length` bytes of a stream (fewer when it ends before), and the whole stream again.
 */
export async function peek(source: Bytes, length: number): Promise<{ head: Uint8Array; body: Bytes }> {
  const iterator = source[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let size = 0;
  while (size < length) {
    const next = await iterator.next();
    if (next.done === true) break;
    chunks.push(next.value);
    size += next.value.byteLength;
  }
  const [first] = chunks;
  const head = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
  return { head: head.subarray(0, length), body: resume(chunks, iterator) };
}

async function* resume(chunks: readonly Uint8Array[], iterator: AsyncIterator<Uint8Array>): Bytes {
  try {
    yield* chunks;
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
  } finally {
    await iterator.return?.();
  }
}

/** Pass over what is of no interest. */
export async function drain(body: Bytes): Promise<void> {
  const iterator = body[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}
