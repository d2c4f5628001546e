import { parentPort, workerData } from 'node:worker_threads';
import { BallastError } from '../protocol/index.ts';
import { readArchive } from './archive.ts';
import type { Bytes } from './untar.ts';
import type { FromWorker, ToWorker, WorkerStart } from './worker-messages.ts';

// The thread that reads archives: whatever is in them, it can take down itself only.

const port = parentPort;
if (port === null) throw new Error('This module runs in a worker thread.');
const { caps, known, needles } = workerData as WorkerStart;

const send = (message: FromWorker): void => {
  port.postMessage(message);
};

const queue: ToWorker[] = [];
let wake = (): void => undefined;
port.on('message', (message: ToWorker) => {
  queue.push(message);
  wake();
});

async function* received(): Bytes {
  for (;;) {
    const message = queue.shift();
    if (message === undefined) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      wake = () => {
        resolve(undefined);
      };
      await promise;
    } else if (message.type === 'end') {
      return;
    } else {
      yield message.bytes;
      send({ type: 'taken', bytes: message.bytes.byteLength });
    }
  }
}

try {
  send({ type: 'done', archive: await readArchive(received(), caps, known, needles) });
} catch (error) {
  // Anything else is a bug of ours, and is told of as one: with its stack, and to nobody's charge.
  if (!(error instanceof BallastError)) throw error;
  send({ type: 'failed', error: error.toBody() });
} finally {
  port.close();
}
