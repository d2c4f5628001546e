import { closeCodes, subprotocol } from '../../sandbox-server/protocol/index.ts';
import { backoffDelay, type BackoffOptions } from './backoff.ts';
import { Store, type Readable } from './store.ts';

export type ConnectionState =
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'open' }
  /** Lost; the next try is at `retryAt` (ms since 1970). */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly retryAt: number }
  /** Over for good: by us, or with a close code that says not to come back. */
  | { readonly kind: 'closed'; readonly code: number };

export interface SocketHandlers {
  onOpen?(): void;
  onText(text: string): void;
  onBytes?(bytes: Uint8Array): void;
}

export interface SocketOptions {
  /** Asked anew for each connection. */
  readonly url: () => string;
  readonly handlers: SocketHandlers;
  readonly backoff?: BackoffOptions;
  /** A connection that lasted this long (ms) starts the delays anew when it is lost. */
  readonly stableMs?: number;
}

/** Close codes after which a new connection would only be refused again. */
const finalCodes: ReadonlySet<number> = new Set([
  closeCodes.invalidMessage,
  closeCodes.unauthorized,
  closeCodes.notFound,
  closeCodes.gone,
  closeCodes.exited,
]);

/** A WebSocket of our subprotocol that comes back by itself and says how it stands. */
export class ReconnectingSocket {
  readonly #options: SocketOptions;
  readonly #state = new Store<ConnectionState>({ kind: 'connecting', attempt: 0 });
  #socket: WebSocket | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #stableTimer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;

  constructor(options: SocketOptions) {
    this.#options = options;
    this.#connect();
  }

  get state(): Readable<ConnectionState> {
    return this.#state;
  }

  /** Sends when connected; gives false when the message was dropped because there is no connection. */
  send(data: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  /** Tries at once instead of waiting; also opens a closed socket again. */
  retryNow(): void {
    const { kind } = this.#state.value;
    if (kind === 'waiting' || kind === 'closed') this.#connect();
  }

  /** Gives up a connection thought dead (the machine went offline) and starts over. */
  reconnect(): void {
    if (this.#state.value.kind !== 'open') return;
    this.#release();
    this.#wait();
  }

  /** Ends it for good; `code` is told to the server. */
  close(code = 1000): void {
    this.#release(code);
    clearTimeout(this.#retryTimer);
    this.#state.set({ kind: 'closed', code });
  }

  #connect(): void {
    clearTimeout(this.#retryTimer);
    this.#state.set({ kind: 'connecting', attempt: this.#attempt });
    const socket = new WebSocket(this.#options.url(), subprotocol);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => {
      this.#state.set({ kind: 'open' });
      this.#stableTimer = setTimeout(() => {
        this.#attempt = 0;
      }, this.#options.stableMs ?? 5000);
      this.#options.handlers.onOpen?.();
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'string') this.#options.handlers.onText(data);
      else if (data instanceof ArrayBuffer) this.#options.handlers.onBytes?.(new Uint8Array(data));
    };
    socket.onclose = ({ code }) => {
      this.#release();
      if (finalCodes.has(code)) this.#state.set({ kind: 'closed', code });
      else this.#wait();
    };
  }

  #wait(): void {
    const delay = backoffDelay(this.#attempt, this.#options.backoff);
    this.#attempt += 1;
    this.#retryTimer = setTimeout(() => {
      this.#connect();
    }, delay);
    this.#state.set({ kind: 'waiting', attempt: this.#attempt, retryAt: Date.now() + delay });
  }

  /** Lets go of the current WebSocket: nothing that it still says is heard. */
  #release(code?: number): void {
    clearTimeout(this.#stableTimer);
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    if (socket.readyState <= WebSocket.OPEN) socket.close(code);
  }
}
