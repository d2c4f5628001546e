import { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import type { Header } from 'tar-stream';
import { malformed } from './archive-error.ts';
import { BallastError } from '../protocol/index.ts';

export type Bytes = AsyncIterable<Uint8Array>;

/** One entry of a tar. Read `body` to its end or not at all: stopping half-way ends the whole archive. */
export interface TarEntry {
  readonly header: Header;
  /** What a link points to, "" where it is none. */
  readonly linkTarget: string;
  readonly body: Bytes;
}

/**
 * Read a tar, calling `onEntry` for each entry and waiting for it. Nothing is written anywhere.
 * @throws BallastError image_unreadable when it is not a tar, is cut off or lies about its sizes; what `onEntry` throws.
 */
export async function untar(source: Bytes, onEntry: (entry: TarEntry) => Promise<void>): Promise<void> {
  const unpacker = extract();
  // The writing side must not wait for the reading side to begin, nor the other way round.
  const writing = write(source, unpacker);
  // Whoever fails first decides; the other then fails for having been stopped.
  const reading = read(unpacker, onEntry);
  const results = await Promise.allSettled([reading, writing]);
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  const cause = failures.find((failure) => failure instanceof BallastError) ?? failures[0];
  if (cause === undefined) return;
  throw isOfTheArchive(cause) ? malformed(`bad archive, ${cause.message}`, cause) : cause;
}

/** Streams and the unpacker throw plain errors; one of another class has its own meaning, or is a bug of ours. */
const isOfTheArchive = (error: Error): boolean => Object.getPrototypeOf(error) === Error.prototype;

type Unpacker = ReturnType<typeof extract>;

async function write(source: Bytes, unpacker: Unpacker): Promise<void> {
  try {
    for await (const chunk of source) {
      if (unpacker.destroyed) return;
      if (!unpacker.write(chunk)) await drained(unpacker);
    }
    unpacker.end(null);
  } catch (error) {
    unpacker.destroy(error as Error);
    throw error;
  }
}

function drained(unpacker: Unpacker): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      unpacker.off('drain', done);
      unpacker.off('close', done);
      resolve();
    };
    unpacker.once('drain', done);
    unpacker.once('close', done);
    if (unpacker.destroyed) done();
  });
}

async function read(unpacker: Unpacker, onEntry: (entry: TarEntry) => Promise<void>): Promise<void> {
  for await (const entry of unpacker) {
    if (!isSized(entry.header)) throw malformed('bad archive, an entry in it has no size');
    await onEntry({
      header: entry.header,
      linkTarget: linkTarget(entry.header),
      body: hasBody(entry.header) ? (entry as AsyncIterable<Uint8Array>) : Readable.from([]),
    });
    entry.resume();
  }
}

/**
 * Whether a header says how long its entry is. Of one that does not, the unpacker waits for ever for the end: refuse it
 * before reading on.
 */
export const isSized = ({ size }: Header): boolean => Number.isSafeInteger(size) && size >= 0;

/** Whether what an entry holds may be read: of a folder there is nothing, whatever its header says, not even an end. */
export const hasBody = ({ type }: Header): boolean => type !== 'directory';

/** The package's types forget that it is null where there is no link. */
function linkTarget(header: { readonly linkname: string | null }): string {
  return header.linkname ?? '';
}
