import { eventMessage, type EventMessage } from '../../sandbox-server/protocol/index.ts';
import { parseMessage } from './parse-message.ts';
import { ReconnectingSocket, type ConnectionState, type SocketOptions } from './reconnecting-socket.ts';
import type { Readable } from './store.ts';

export interface EventSocketOptions extends Pick<SocketOptions, 'backoff' | 'stableMs'> {
  readonly url: string;
  readonly onEvent: (message: EventMessage) => void;
}

/** A session's event socket. The server tells the whole state on each connection, so nothing is asked again here. */
export class EventSocket {
  readonly #socket: ReconnectingSocket;

  constructor(options: EventSocketOptions) {
    const { url, onEvent, ...socket } = options;
    this.#socket = new ReconnectingSocket({
      ...socket,
      url: () => url,
      handlers: {
        onText: (text) => {
          // A message that this page is too old to know is no reason to lose the others.
          const message = parseMessage(eventMessage, text);
          if (message !== undefined) onEvent(message);
        },
      },
    });
  }

  get connection(): Readable<ConnectionState> {
    return this.#socket.state;
  }

  /** Tries a lost connection at once. */
  retryNow(): void {
    this.#socket.retryNow();
  }

  /** Drops the connection and starts over: for when the machine has gone offline. */
  reconnect(): void {
    this.#socket.reconnect();
  }

  /** Ends it for good. */
  dispose(): void {
    this.#socket.close();
  }
}
