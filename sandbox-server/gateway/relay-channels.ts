import { Duplex, type Readable } from 'node:stream';

/** Bytes under way on one stream in each direction; the relay in the sandbox knows the same number. */
const windowBytes = 256 * 1024;
const maxPayload = 64 * 1024;
const headerBytes = 9;
/** A program that has not hung up so long after the last it was sent is hung up on. */
const lingerMs = 60_000;

type Send = (type: 'd' | 'e' | 'c' | 'w', id: number, payload?: Buffer) => boolean;

function frame(type: string, id: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.write(type, 0, 'latin1');
  header.writeUInt32BE(id, 1);
  header.writeUInt32BE(payload.length, 5);
  return Buffer.concat([header, payload]);
}

/** One connection that a program in the sandbox made. */
class RelayStream extends Duplex {
  readonly #id: number;
  readonly #send: Send;
  readonly #onClose: () => void;
  /** Bytes that may still be sent. */
  #credit = windowBytes;
  #waiting: { readonly rest: Buffer; readonly done: () => void } | null = null;
  readonly #unread: Buffer[] = [];
  #flowing = true;
  /** Bytes that may still come. */
  #room = windowBytes;
  #taken = 0;
  #gone = false;
  /** The program has said that nothing more comes from it. */
  #heardAll = false;
  #lingering: NodeJS.Timeout | null = null;

  constructor(id: number, send: Send, onClose: () => void) {
    super({ allowHalfOpen: true, highWaterMark: windowBytes / 4 });
    this.#id = id;
    this.#send = send;
    this.#onClose = onClose;
  }

  /** @returns whether the sandbox kept to its window */
  arrived(data: Buffer): boolean {
    if (data.length > this.#room) return false;
    this.#room -= data.length;
    if (this.#lingering !== null) return true;
    this.#unread.push(data);
    this.#pass();
    return true;
  }

  ended(): void {
    this.#heardAll = true;
    if (this.#lingering === null) this.push(null);
    else this.#forget();
  }

  /** The other side has gone. */
  lost(): void {
    this.#gone = true;
    if (this.#lingering === null) this.destroy();
    else this.#forget();
  }

  granted(bytes: number): void {
    this.#credit += bytes;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) this.#write(waiting.rest, waiting.done);
  }

  override _read(): void {
    this.#flowing = true;
    this.#pass();
  }

  #pass(): void {
    while (this.#flowing) {
      const data = this.#unread.shift();
      if (data === undefined) break;
      this.#flowing = this.push(data);
      this.#taken += data.length;
    }
    if (this.#taken < windowBytes / 4 || this.#gone) return;
    const taken = Buffer.alloc(4);
    taken.writeUInt32BE(this.#taken);
    this.#room += this.#taken;
    this.#taken = 0;
    this.#send('w', this.#id, taken);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#write(chunk, callback);
  }

  #write(chunk: Buffer, done: () => void): void {
    let at = 0;
    while (at < chunk.length && this.#credit > 0) {
      const part = chunk.subarray(at, at + Math.min(this.#credit, maxPayload));
      this.#credit -= part.length;
      at += part.length;
      this.#send('d', this.#id, part);
    }
    if (at < chunk.length) this.#waiting = { rest: chunk.subarray(at), done };
    else done();
  }

  override _final(callback: () => void): void {
    this.#send('e', this.#id);
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    // Ended in both directions, it is gone at the other side as well.
    if (!this.#gone && !(this.#heardAll && this.writableFinished)) {
      if (error === null && this.writableFinished) {
        // "Closed" makes the relay drop what a slow program has not taken yet. Told of the end, the program hangs up.
        this.#lingering = setTimeout(() => {
          this.#send('c', this.#id);
          this.#forget();
        }, lingerMs).unref();
        callback(null);
        return;
      }
      this.#send('c', this.#id);
    }
    this.#onClose();
    callback(error);
  }

  #forget(): void {
    if (this.#lingering !== null) clearTimeout(this.#lingering);
    this.#onClose();
  }
}

/**
 * The connections that the relay in a sandbox carries here, out of the frames of one stream. What comes from a sandbox
 * may be anything: a frame against the rules ends all of it.
 */
export class RelayChannels {
  readonly #streams = new Map<number, RelayStream>();
  readonly #output: NodeJS.WritableStream;
  readonly #maxStreams: number;
  readonly #onStream: (stream: Duplex) => void;
  /** Resolves when the relay listens; rejects when it ends before that. */
  readonly ready: Promise<void>;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;

  constructor(
    relay: { readonly stdin: NodeJS.WritableStream; readonly stdout: Readable },
    options: { readonly maxStreams: number; readonly onStream: (stream: Duplex) => void },
  ) {
    this.#output = relay.stdin;
    this.#maxStreams = options.maxStreams;
    this.#onStream = options.onStream;
    const ready = Promise.withResolvers<undefined>();
    this.ready = ready.promise;
    this.ready.catch(() => undefined);
    this.ended = this.#read(relay.stdout, ready.resolve).finally(() => {
      ready.reject(new Error('the relay ended'));
      for (const stream of [...this.#streams.values()]) stream.lost();
    });
    this.ended.catch(() => undefined);
  }

  /** A line for the build that is under way. */
  note(line: string): void {
    this.#output.write(frame('n', 0, Buffer.from(line)));
  }

  async #read(input: Readable, onReady: (value: undefined) => void): Promise<void> {
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of input) {
      rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
      let at = 0;
      while (rest.length - at >= headerBytes) {
        const size = rest.readUInt32BE(at + 5);
        if (size > maxPayload) throw new Error('a frame is too long');
        if (rest.length - at < headerBytes + size) break;
        const type = String.fromCharCode(rest.readUInt8(at));
        const payload = rest.subarray(at + headerBytes, at + headerBytes + size);
        if (type === 'r') onReady(undefined);
        else this.#take(type, rest.readUInt32BE(at + 1), payload);
        at += headerBytes + size;
      }
      rest = rest.subarray(at);
    }
  }

  #take(type: string, id: number, payload: Buffer): void {
    if (type === 'o') {
      this.#open(id);
      return;
    }
    const stream = this.#streams.get(id);
    // It may have been closed here in the meantime.
    if (stream === undefined) return;
    if (type === 'd') {
      if (!stream.arrived(payload)) throw new Error('more came than was allowed');
    } else if (type === 'e') stream.ended();
    else if (type === 'c') stream.lost();
    else if (type === 'w' && payload.length === 4) stream.granted(payload.readUInt32BE(0));
    else throw new Error('a frame of no known kind');
  }

  #open(id: number): void {
    if (this.#streams.has(id) || this.#streams.size >= this.#maxStreams) throw new Error('a stream too many');
    const send: Send = (type, to, payload = Buffer.alloc(0)) => this.#output.write(frame(type, to, payload));
    const stream = new RelayStream(id, send, () => this.#streams.delete(id));
    stream.on('error', () => undefined);
    this.#streams.set(id, stream);
    this.#onStream(stream);
  }
}
