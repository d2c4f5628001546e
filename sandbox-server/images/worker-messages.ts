import type { ImageCaps } from './caps.ts';
import type { ErrorBody } from '../protocol/index.ts';
import type { Archive } from './archive.ts';

/** What the reading thread is started with. */
export interface WorkerStart {
  readonly caps: ImageCaps;
  readonly known: ReadonlySet<string>;
  /** Strings to look for in every layer. */
  readonly needles?: readonly string[];
}

/** To the thread: the archive, piece by piece. */
export type ToWorker = { readonly type: 'chunk'; readonly bytes: Uint8Array<ArrayBuffer> } | { readonly type: 'end' };

/** From the thread. `taken` lets the sender send on; the rest ends the reading. */
export type FromWorker =
  | { readonly type: 'taken'; readonly bytes: number }
  | { readonly type: 'done'; readonly archive: Archive }
  | { readonly type: 'failed'; readonly error: ErrorBody };
