import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** What the proxy does wrong, to requests whose "METHOD path" fits, so many times. */
export interface Fault {
  readonly on: RegExp;
  times: number;
  readonly act:
    | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
    /** Break the connection after so many bytes of the body. */
    | { readonly cutAfter: number };
}

/** In place of the registry's own way: a log-in that gives a token, as the large public registries have it. */
export interface TokenService {
  readonly token: string;
  /** What the client must show for a token, as in `Authorization`. */
  readonly basic: string;
  /** Where it says that tokens are to be had; its own /token unless it sends its users elsewhere. */
  readonly realm?: string;
}

/** A reverse proxy before a registry that fails as it is told, and remembers what was asked. */
export class FaultyProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: number;
  readonly #secure: boolean;
  #host = '';
  faults: Fault[] = [];
  tokens: TokenService | null = null;
  /** "GET /v2/… bytes=10-" of each request. */
  requests: string[] = [];

  private constructor(target: number, tls: { key: Buffer; cert: Buffer } | undefined) {
    this.#target = target;
    this.#secure = tls !== undefined;
    const handle = (incoming: IncomingMessage, answer: ServerResponse): void => {
      this.#handle(incoming, answer);
    };
    this.#server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  }

  /** @param address to listen on; a free port of it. @param target port of the registry on 127.0.0.1. */
  static async start(address: string, target: number, tls?: { key: Buffer; cert: Buffer }): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target, tls);
    proxy.#server.listen(0, address);
    await once(proxy.#server, 'listening');
    proxy.#host = `${address}:${String((proxy.#server.address() as AddressInfo).port)}`;
    return proxy;
  }

  get host(): string {
    return this.#host;
  }

  /** Forget what was asked, and do nothing wrong but this. */
  reset(...faults: Fault[]): void {
    this.faults = faults;
    this.requests = [];
    this.tokens = null;
  }

  #handle(incoming: IncomingMessage, answer: ServerResponse): void {
    const asked = `${incoming.method ?? ''} ${incoming.url ?? ''}`;
    this.requests.push(`${asked} ${incoming.headers.range ?? ''}`.trim());
    const fault = this.faults.find(({ on, times }) => times > 0 && on.test(asked));
    if (fault !== undefined) fault.times -= 1;
    if (fault !== undefined && 'status' in fault.act) {
      answer.writeHead(fault.act.status, fault.act.headers ?? {}).end();
      return;
    }
    const headers = { ...incoming.headers };
    if (this.tokens !== null) {
      if (!this.#passes(this.tokens, incoming, answer)) return;
      headers.authorization = this.tokens.basic;
    }
    const forwarded = request(
      { host: '127.0.0.1', port: this.#target, method: incoming.method, path: incoming.url, headers },
      (upstream) => {
        answer.writeHead(upstream.statusCode ?? 502, upstream.headers);
        if (fault === undefined) {
          upstream.pipe(answer);
          return;
        }
        let left = (fault.act as { cutAfter: number }).cutAfter;
        upstream.on('data', (chunk: Buffer) => {
          if (left <= 0) return;
          answer.write(chunk.subarray(0, left), () => {
            if (left <= 0) answer.destroy();
          });
          left -= chunk.length;
        });
      },
    );
    forwarded.on('error', () => answer.destroy());
    incoming.pipe(forwarded);
  }

  /** Whether a request may go on; else it has been answered. */
  #passes(tokens: TokenService, incoming: IncomingMessage, answer: ServerResponse): boolean {
    const shown = incoming.headers.authorization;
    if (incoming.url?.startsWith('/token') === true) {
      const known = shown === tokens.basic;
      answer.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
      answer.end(JSON.stringify(known ? { token: tokens.token } : {}));
      return false;
    }
    if (shown === `Bearer ${tokens.token}`) return true;
    const realm = tokens.realm ?? `http${this.#secure ? 's' : ''}://${this.#host}/token`;
    answer.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="test",scope="pull"` }).end();
    return false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
