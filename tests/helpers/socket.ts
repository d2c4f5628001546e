import { once } from 'node:events';
import { WebSocket } from 'ws';
import {
  ackEveryBytes,
  eventMessage,
  subprotocol,
  terminalServerMessage,
  type EventMessage,
  type SessionView,
  type TerminalServerMessage,
} from '../../sandbox-server/protocol/index.ts';
import type { TestSession } from './server.ts';

const waitMs = 60_000;

/** How a refused upgrade was answered. */
export interface Refusal {
  readonly status: number;
  readonly body: string;
}

/** A server, in this process or in another, that listens on a port of 127.0.0.1. */
interface Listening {
  readonly port: number;
}

interface OpenOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocol?: string | null;
}

function open(
  server: Listening,
  path: string,
  session: TestSession | null,
  { headers = {}, protocol = subprotocol }: OpenOptions,
): WebSocket {
  const authorization = session === null ? {} : { authorization: `Bearer ${session.token}` };
  return new WebSocket(`ws://127.0.0.1:${String(server.port)}${path}`, protocol === null ? [] : [protocol], {
    headers: { ...authorization, ...headers },
    perMessageDeflate: false,
  });
}

/** Tries an upgrade that must be refused with an HTTP status. */
export async function refusedUpgrade(
  server: Listening,
  path: string,
  session: TestSession | null,
  options: OpenOptions = {},
): Promise<Refusal> {
  const socket = open(server, path, session, options);
  const { promise, resolve, reject } = Promise.withResolvers<Refusal>();
  socket.on('error', () => undefined);
  socket.on('open', () => {
    socket.terminate();
    reject(new Error('The upgrade was accepted.'));
  });
  socket.on('unexpected-response', (_request, response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => {
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      socket.terminate();
    });
  });
  return promise;
}

/** One socket as a test sees it: all that came, and ways to wait for what is still to come. */
export class TestSocket<Message> implements Disposable {
  readonly socket: WebSocket;
  readonly messages: Message[] = [];
  bytes = 0;
  text = '';
  /** Bytes of output that are acknowledged as they come; off for a client that does not render. */
  acknowledging = true;
  closeCode: number | null = null;
  #unacknowledged = 0;
  readonly #waiting = new Set<() => void>();

  constructor(socket: WebSocket, parse: (text: string) => Message) {
    this.socket = socket;
    socket.on('message', (data, isBinary) => {
      const buffer = data as Buffer;
      if (isBinary) {
        this.bytes += buffer.length;
        this.#unacknowledged += buffer.length;
        this.text = (this.text + buffer.toString('utf8')).slice(-200_000);
        if (this.acknowledging && this.#unacknowledged >= ackEveryBytes) this.acknowledge();
      } else {
        this.messages.push(parse(buffer.toString('utf8')));
      }
      this.#wake();
    });
    socket.on('close', (code) => {
      this.closeCode = code;
      this.#wake();
    });
    socket.on('error', () => undefined);
  }

  #wake(): void {
    for (const check of [...this.#waiting]) check();
  }

  /** Acknowledge all output that has not been yet. */
  acknowledge(): void {
    if (this.#unacknowledged === 0 || this.socket.readyState !== WebSocket.OPEN) return;
    this.send({ type: 'ack', bytes: this.#unacknowledged });
    this.#unacknowledged = 0;
  }

  /** Resolves with what `find` gives once it is not undefined; it is asked again whenever something comes. */
  async until<T>(what: string, find: () => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timer = setTimeout(() => {
      reject(
        new Error(
          `Waited too long for ${what}. Messages: ${JSON.stringify(this.messages)}. Text: ${this.text.slice(-2000)}`,
        ),
      );
    }, waitMs);
    const check = (): void => {
      const found = find();
      if (found !== undefined) resolve(found);
    };
    this.#waiting.add(check);
    check();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(check);
    }
  }

  async untilText(wanted: string | RegExp): Promise<void> {
    await this.until(String(wanted), () =>
      (typeof wanted === 'string' ? this.text.includes(wanted) : wanted.test(this.text)) ? true : undefined,
    );
  }

  async untilMessage<Found extends Message>(what: string, is: (message: Message) => message is Found): Promise<Found>;
  async untilMessage(what: string, is: (message: Message) => boolean): Promise<Message>;
  async untilMessage(what: string, is: (message: Message) => boolean): Promise<Message> {
    return this.until(what, () => this.messages.find(is));
  }

  async untilClosed(): Promise<number> {
    return this.until('the close', () => this.closeCode ?? undefined);
  }

  send(message: unknown): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  type(text: string): void {
    this.socket.send(Buffer.from(text));
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }
}

/** Opens a terminal; `ready` waits for its shell. */
export async function openTerminal(
  server: Listening,
  session: TestSession,
  name = 'main',
  options: OpenOptions & { readonly ready?: boolean } = {},
): Promise<TestSocket<TerminalServerMessage>> {
  const path = `/api/sessions/${session.id}/terminals/${name}?cols=80&rows=24`;
  const socket = new TestSocket(open(server, path, session, options), (text) =>
    terminalServerMessage.parse(JSON.parse(text)),
  );
  await once(socket.socket, 'open');
  if (options.ready !== false) await socket.untilMessage('ready', (message) => message.type === 'ready');
  return socket;
}

/** Opens the event socket of a session. */
export async function openEvents(
  server: Listening,
  session: TestSession | null,
  id: string,
  options: OpenOptions = {},
): Promise<TestSocket<EventMessage>> {
  const socket = new TestSocket(open(server, `/api/sessions/${id}/events`, session, options), (text) =>
    eventMessage.parse(JSON.parse(text)),
  );
  await once(socket.socket, 'open');
  return socket;
}

/** Waits on the event socket until the session's sandbox can be used. */
export async function untilReady(server: Listening, session: TestSession): Promise<void> {
  using events = await openEvents(server, session, session.id);
  const last = await events.until('a ready session', () => {
    const message = events.messages.findLast((candidate) => candidate.type === 'session');
    // A test may have so short a session that it is ending by now.
    const settled = ['ready', 'idle', 'expiring', 'failed'].includes(message?.session.state ?? '');
    return settled ? message : undefined;
  });
  if (last.session.state === 'failed') throw new Error(`The session failed: ${JSON.stringify(last.session.failure)}`);
}

/** Waits on an event socket until the session is in that state, from now on. */
export async function untilState(events: TestSocket<EventMessage>, state: SessionView['state']): Promise<void> {
  const seen = events.messages.length;
  const find = (message: EventMessage): boolean => message.type === 'session' && message.session.state === state;
  await events.until(`the state ${state}`, () => events.messages.slice(Math.max(0, seen - 1)).find(find));
}
