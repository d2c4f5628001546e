import { Readable } from 'node:stream';
import { BallastError } from '../../protocol/index.ts';

const headerBytes = 8;
const stderrChannel = 2;
/** Docker writes frames of 32 KiB; anything near this is not a Docker stream. */
const maxFrameBytes = 64 * 1024 * 1024;
/** Unread bytes an output holds before the whole connection waits for its reader. */
const outputHighWaterBytes = 256 * 1024;

/** Splits the bytes of a multiplexed stream into frames, whatever the chunks they come in. */
export class FrameParser {
  #header = Buffer.alloc(headerBytes);
  #headerFill = 0;
  #left = 0;
  #channel = 0;

  /** Whether the stream may end here: between two frames. */
  get complete(): boolean {
    return this.#headerFill === 0 && this.#left === 0;
  }

  /**
   * Take the next bytes of the stream; `onData` gets parts of frames in order, never copied.
   * @throws BallastError engine_failed when the bytes are not such a stream.
   */
  push(chunk: Buffer, onData: (channel: number, data: Buffer) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        const take = Math.min(headerBytes - this.#headerFill, chunk.length - at);
        chunk.copy(this.#header, this.#headerFill, at, at + take);
        this.#headerFill += take;
        at += take;
        if (this.#headerFill < headerBytes) return;
        this.#headerFill = 0;
        this.#channel = this.#header.readUInt8(0);
        this.#left = this.#header.readUInt32BE(4);
        if (this.#channel > stderrChannel || this.#left > maxFrameBytes) {
          throw new BallastError('engine_failed', {
            message: 'The Docker Engine sent a stream that is not multiplexed.',
          });
        }
      } else {
        const take = Math.min(this.#left, chunk.length - at);
        onData(this.#channel, chunk.subarray(at, at + take));
        this.#left -= take;
        at += take;
      }
    }
  }
}

/**
 * Split a multiplexed stream into standard output and standard error.
 * docker-modem's own demuxer ignores back-pressure; here the source is paused while either output is full, so both
 * must be read (or resumed) by the caller. A source that closes before its end destroys both with engine_failed.
 */
export function demultiplex(source: Readable): { stdout: Readable; stderr: Readable } {
  const waiting = new Set<Readable>();
  const resume = (output: Readable): void => {
    if (waiting.delete(output) && waiting.size === 0) source.resume();
  };
  const makeOutput = (): Readable => {
    const output = new Readable({
      highWaterMark: outputHighWaterBytes,
      read() {
        resume(output);
      },
      destroy(error, callback) {
        resume(output);
        callback(error);
      },
    });
    // A lost connection must never end the server because one of the two outputs had no reader.
    output.on('error', () => undefined);
    return output;
  };
  const stdout = makeOutput();
  const stderr = makeOutput();
  const parser = new FrameParser();

  const fail = (cause: unknown): void => {
    const error =
      cause instanceof BallastError
        ? cause
        : new BallastError('engine_failed', { message: 'The connection to the Docker Engine was lost.', cause });
    for (const output of [stdout, stderr]) if (!output.readableEnded) output.destroy(error);
    source.destroy();
  };
  source.on('data', (chunk: Buffer) => {
    try {
      parser.push(chunk, (channel, data) => {
        const output = channel === stderrChannel ? stderr : stdout;
        if (output.destroyed || output.push(data)) return;
        waiting.add(output);
        source.pause();
      });
    } catch (cause) {
      fail(cause);
    }
  });
  source.on('error', fail);
  source.on('end', () => {
    if (!parser.complete) {
      fail(new Error('ended inside a frame'));
      return;
    }
    stdout.push(null);
    stderr.push(null);
  });
  source.on('close', () => {
    if (!source.readableEnded) fail(new Error('closed before its end'));
  });
  return { stdout, stderr };
}
