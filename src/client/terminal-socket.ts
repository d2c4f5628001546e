import {
  ackEveryBytes,
  closeCodes,
  terminalServerMessage,
  type ErrorBody,
  type TerminalClientMessage,
} from '../../sandbox-server/protocol/index.ts';
import { parseMessage } from './parse-message.ts';
import { ReconnectingSocket, type ConnectionState, type SocketOptions } from './reconnecting-socket.ts';
import { Store, type Readable } from './store.ts';

export interface TerminalHandlers {
  /** What is on the screen is about to be sent again: clear it. */
  onReset(): void;
  /** Output of the shell; call `rendered` once it is drawn, or the server will stop sending. */
  onData(bytes: Uint8Array, rendered: () => void): void;
  /** Something that the learner should not miss. */
  onNotice(text: string): void;
  onError(error: ErrorBody): void;
}

export type ShellState = 'attaching' | 'ready' | 'ended';

export interface TerminalSocketOptions extends Pick<SocketOptions, 'backoff' | 'stableMs'> {
  readonly url: string;
  readonly size: { cols: number; rows: number };
  readonly handlers: TerminalHandlers;
}

/** Bytes of keystrokes in one frame; a long paste goes as several. */
const chunkBytes = 32 * 1024;
/** Characters kept of what is typed before the shell is there. */
const typeAheadLength = 4096;

/** One terminal's connection: reconnects, replays, acknowledges what was drawn. */
export class TerminalSocket {
  readonly #handlers: TerminalHandlers;
  readonly #socket: ReconnectingSocket;
  readonly #shell = new Store<ShellState>('attaching');
  readonly #encoder = new TextEncoder();
  #size: { cols: number; rows: number };
  #unacknowledged = 0;
  #typedAhead = '';
  /** Whether the connection broke since there was last a shell. */
  #lost = false;
  /** Counts connections, so that late `rendered` calls of an old one do not acknowledge on the new one. */
  #generation = 0;

  constructor(options: TerminalSocketOptions) {
    const { url, size, handlers, ...socket } = options;
    this.#handlers = handlers;
    this.#size = size;
    this.#socket = new ReconnectingSocket({
      ...socket,
      // So that the shell starts at the right size; `resize` follows for what changes while it does.
      url: () => `${url}?cols=${String(this.#size.cols)}&rows=${String(this.#size.rows)}`,
      handlers: {
        onOpen: () => {
          this.#opened();
        },
        onText: (text) => {
          this.#control(text);
        },
        onBytes: (bytes) => {
          this.#output(bytes);
        },
      },
    });
    this.#socket.state.subscribe((state) => {
      if (state.kind === 'closed' && state.code === closeCodes.exited) this.#shell.set('ended');
      else if (state.kind === 'waiting' || state.kind === 'closed') {
        this.#lost = true;
        this.#typedAhead = '';
        if (this.#shell.value === 'ready') this.#shell.set('attaching');
      }
    });
  }

  get connection(): Readable<ConnectionState> {
    return this.#socket.state;
  }

  get shell(): Readable<ShellState> {
    return this.#shell;
  }

  /**
   * Types `text` into the shell. What comes before the shell is there waits for it; but after a lost connection
   * it is dropped, with false: nobody should type blind.
   */
  write(text: string): boolean {
    if (this.#shell.value === 'attaching' && !this.#lost) {
      this.#typedAhead = (this.#typedAhead + text).slice(0, typeAheadLength);
      return true;
    }
    if (this.#shell.value !== 'ready') return false;
    const bytes = this.#encoder.encode(text);
    for (let start = 0; start < bytes.length; start += chunkBytes) {
      if (!this.#socket.send(bytes.subarray(start, start + chunkBytes))) return false;
    }
    return true;
  }

  /** Tells the shell its new size, now or on the next connection. */
  resize(cols: number, rows: number): void {
    if (cols === this.#size.cols && rows === this.#size.rows) return;
    this.#size = { cols, rows };
    this.#send({ type: 'resize', cols, rows });
  }

  /** Resolves when the shell is in that state, now or later; rejects when `signal` aborts first. */
  when(wanted: ShellState, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        // `subscribe` calls back at once, before it has given its end function: hence the microtask.
        queueMicrotask(() => {
          stop();
          signal.removeEventListener('abort', onAbort);
          settle();
        });
      };
      const onAbort = (): void => {
        end(() => {
          reject(new Error(`The terminal did not become ${wanted}.`));
        });
      };
      const stop = this.#shell.subscribe((state) => {
        if (state === wanted) end(resolve);
      });
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
    });
  }

  /** Starts a new shell after the last one ended, or tries a lost connection at once. */
  restart(): void {
    if (this.#shell.value === 'ended') {
      this.#shell.set('attaching');
      this.#lost = false;
    }
    this.#socket.retryNow();
  }

  /** Drops the connection and starts over: for when the machine has gone offline. */
  reconnect(): void {
    this.#socket.reconnect();
  }

  /** Ends the shell itself. */
  closeShell(): void {
    this.#send({ type: 'close' });
  }

  /** Ends this view of the shell; the shell lives on. */
  dispose(): void {
    this.#generation += 1;
    this.#socket.close();
  }

  #opened(): void {
    this.#generation += 1;
    this.#unacknowledged = 0;
    this.#send({ type: 'resize', ...this.#size });
  }

  #attached(): void {
    this.#lost = false;
    this.#shell.set('ready');
    const early = this.#typedAhead;
    this.#typedAhead = '';
    if (early !== '') this.write(early);
  }

  #output(bytes: Uint8Array): void {
    const generation = this.#generation;
    this.#handlers.onData(bytes, () => {
      if (generation !== this.#generation) return;
      this.#unacknowledged += bytes.length;
      if (this.#unacknowledged < ackEveryBytes) return;
      this.#send({ type: 'ack', bytes: this.#unacknowledged });
      this.#unacknowledged = 0;
    });
  }

  #control(text: string): void {
    const message = parseMessage(terminalServerMessage, text);
    switch (message?.type) {
      case 'replay':
        this.#handlers.onReset();
        break;
      case 'ready':
        this.#attached();
        break;
      case 'notice':
        this.#handlers.onNotice(message.text);
        break;
      case 'exit':
        this.#shell.set('ended');
        this.#socket.close();
        break;
      case 'error':
        this.#handlers.onError(message.error);
        break;
      case undefined:
        this.#socket.close(closeCodes.invalidMessage);
    }
  }

  #send(message: TerminalClientMessage): void {
    this.#socket.send(JSON.stringify(message));
  }
}
