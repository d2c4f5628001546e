import type { Readable } from 'node:stream';
import type { RunOptions } from './sandbox-shell.ts';

export interface Collected {
  readonly text: string;
  readonly truncated: boolean;
}

/**
 * Reads a stream to its end and keeps no more than `limit` bytes: a program that prints for ever fills nothing.
 * @param keep which bytes: the first, or half of them from each end, a line break between
 */
export async function collect(
  stream: Readable,
  limit: number,
  keep: NonNullable<RunOptions['keep']> = 'start',
): Promise<Collected> {
  const mostTail = keep === 'ends' ? Math.floor(limit / 2) : 0;
  const mostHead = limit - mostTail;
  const head: Buffer[] = [];
  let headBytes = 0;
  let tail: Buffer[] = [];
  let tailBytes = 0;
  let dropped = false;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const first = chunk.subarray(0, mostHead - headBytes);
    if (first.length > 0) head.push(first);
    headBytes += first.length;
    const rest = chunk.subarray(first.length);
    if (rest.length === 0) continue;
    tail.push(rest);
    tailBytes += rest.length;
    // Cut when it has grown to twice its length, so that many small pieces cost no more than a few large ones.
    if (tailBytes > 2 * mostTail) {
      dropped = true;
      const last = mostTail === 0 ? Buffer.alloc(0) : Buffer.concat(tail).subarray(-mostTail);
      tail = last.length === 0 ? [] : [last];
      tailBytes = last.length;
    }
  }
  const end = Buffer.concat(tail);
  const last = end.subarray(Math.max(0, end.length - mostTail));
  const truncated = dropped || last.length < end.length;
  const between = truncated && last.length > 0 ? [Buffer.from('\n')] : [];
  return { text: Buffer.concat([...head, ...between, last]).toString('utf8'), truncated };
}
