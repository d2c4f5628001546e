import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { BallastError } from '../protocol/index.ts';
import type { Archive } from './archive.ts';
import { tooLarge } from './archive-error.ts';
import { watchHost } from './host-load.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts';

/** Bytes under way to the thread before the source has to wait. */
const windowBytes = 4 * 1024 ** 2;
/** An archive that takes too long with so many bytes read is large: an idle machine reads as many in a quarter of a minute. */
const largeBytes = 1024 ** 3;

/**
 * Read an archive in a thread of its own, with limits on its memory and time. `source` is closed in the end.
 * @param watch begins to watch for others who take the machine's processors
 * @throws BallastError too_large or image_unreadable; host_busy when time ran out that others had taken; what `source`
 * throws; the reason of `signal`; any other error is a bug of ours.
 */
export async function readInWorker(
  source: Readable,
  start: WorkerStart,
  signal?: AbortSignal,
  watch = watchHost,
): Promise<Archive> {
  if (signal?.aborted === true) {
    source.destroy();
    throw signal.reason;
  }
  const isHostBusy = watch();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: start,
    resourceLimits: { maxOldGenerationSizeMb: start.caps.heapMebibytes, maxYoungGenerationSizeMb: 64 },
  });
  const flow = new Flow();
  const outcome = Promise.withResolvers<Archive>();
  const fail = (error: unknown): void => {
    outcome.reject(error);
  };
  worker.on('message', (message: FromWorker) => {
    if (message.type === 'taken') flow.taken(message.bytes);
    else if (message.type === 'done') outcome.resolve(message.archive);
    else fail(new BallastError(message.error.code, message.error));
  });
  worker.on('error', (error: NodeJS.ErrnoException) => {
    fail(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooLarge('reading it takes too much memory') : error);
  });
  worker.on('exit', () => {
    fail(new Error('The thread that read the image ended without a result.'));
  });
  const timer = setTimeout(() => {
    const slow = flow.allSent < largeBytes && isHostBusy() === true;
    const limit = `${String(start.caps.timeoutMs / 1000)} seconds`;
    fail(slow ? new BallastError('host_busy') : tooLarge(`reading it takes longer than ${limit}`));
  }, start.caps.timeoutMs);
  const abort = (): void => {
    fail(signal?.reason);
  };
  signal?.addEventListener('abort', abort, { once: true });

  const sending = send(source, worker, flow);
  sending.catch(fail);
  try {
    return await outcome.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
    flow.stop();
    // A source that has gone silent would be waited for for ever.
    source.destroy();
    await Promise.all([worker.terminate(), sending.catch(() => undefined)]);
  }
}

async function send(source: Readable, worker: Worker, flow: Flow): Promise<void> {
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    if (flow.stopped) return;
    // A copy, since the buffer goes over to the thread and this one may be a part of somebody's larger buffer.
    const bytes = new Uint8Array(chunk);
    worker.postMessage({ type: 'chunk', bytes } satisfies ToWorker, [bytes.buffer]);
    await flow.sent(bytes.byteLength);
  }
  worker.postMessage({ type: 'end' } satisfies ToWorker);
}

/** Holds the sender back while too much is under way. */
class Flow {
  stopped = false;
  /** Bytes sent so far. */
  allSent = 0;
  #underWay = 0;
  #wake: (() => void) | undefined;

  sent(bytes: number): Promise<void> | undefined {
    this.allSent += bytes;
    this.#underWay += bytes;
    if (this.stopped || this.#underWay < windowBytes) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  taken(bytes: number): void {
    this.#underWay -= bytes;
    if (this.#underWay < windowBytes) this.#wake?.();
  }

  stop(): void {
    this.stopped = true;
    this.#wake?.();
  }
}
