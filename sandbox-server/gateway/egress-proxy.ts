import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import { portOf, type AllowedRegistry, type AllowList, type Grants } from './allow-list.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { maxIndexBytes, mayNameHosts, namedOrigins } from './named-hosts.ts';
import type { Quota } from './quota.ts';
import { plainTarget, RefusedError, refusalText, type Refusal } from './refusal.ts';
import { passed, type AnswerSource, type CachedAnswer, type ResponseCache } from './response-cache.ts';
import type { Upstream } from './upstream.ts';

const maxHeaderBytes = 16 * 1024;
/** A request, once begun, must be there within this; an idle connection ends after it. */
const requestMs = 20_000;
const idleMs = 60_000;
/** A client that takes nothing for so long has gone. */
const stalledMs = 120_000;

/** Sent on to the registry: what says which form of an answer is wanted. Nothing of a learner's goes out beside it. */
const forwarded = ['accept', 'accept-encoding', 'accept-language', 'user-agent'] as const;

/** Whoever is at the other end of a connection: one session, or one clean room. */
export interface GatewayClient {
  readonly name: string;
  readonly grants: Grants;
  readonly quota: Quota;
  onRefused(refusal: Refusal): void;
  onAnswer(source: AnswerSource, bytes: number): void;
}

interface Connection {
  readonly client: GatewayClient;
  /** Where the tunnel that it came through leads; null outside of one. */
  readonly authority: { readonly host: string; readonly port: number } | null;
}

export interface EgressProxyOptions {
  readonly allowList: AllowList;
  readonly authority: CertificateAuthority;
  readonly cache: ResponseCache;
  readonly upstream: Upstream;
  readonly logger: Logger;
}

/** The HTTP proxy (requests for whole URLs, and CONNECT) that takes connections out of sandboxes. */
export class EgressProxy {
  readonly #options: EgressProxyOptions;
  readonly #server: Server;
  readonly #connections = new WeakMap<object, Connection>();
  readonly #timers = new WeakMap<object, NodeJS.Timeout>();

  constructor(options: EgressProxyOptions) {
    this.#options = options;
    this.#server = createServer({
      maxHeaderSize: maxHeaderBytes,
      insecureHTTPParser: false,
      requireHostHeader: false,
      keepAlive: false,
    });
    this.#server.on('request', (request, response) => void this.#onRequest(request, response));
    this.#server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.#onConnect(request, socket, head);
    });
    // Nothing but a final answer: a client that waits for leave to send its body gets a refusal.
    this.#server.on('checkContinue', (request, response) => void this.#onRequest(request, response));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      this.#onClientError(error, socket);
    });
  }

  /** Takes a connection over. */
  accept(stream: Duplex, client: GatewayClient): void {
    this.#serve(stream, { client, authority: null });
  }

  #serve(stream: Duplex, connection: Connection): void {
    this.#connections.set(stream, connection);
    stream.on('error', () => stream.destroy());
    stream.once('close', () => {
      clearTimeout(this.#timers.get(stream));
    });
    this.#endIn(stream, requestMs);
    // Any Duplex will do, says Node; one that listens on no port has no time limits of its own.
    this.#server.emit('connection', stream);
  }

  #endIn(stream: Duplex, ms: number): void {
    clearTimeout(this.#timers.get(stream));
    const timer = setTimeout(() => stream.destroy(), ms);
    this.#timers.set(stream, timer.unref());
  }

  #refuse(client: GatewayClient, { refusal }: RefusedError): void {
    client.onRefused(refusal);
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (connection !== undefined && error.code?.startsWith('HPE_') === true) {
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
      const reason = status === 431 ? 'the head of the request is too long' : 'it is no proper HTTP request';
      const refused = new RefusedError(connection.authority?.host ?? 'a connection', reason, status);
      this.#refuse(connection.client, refused);
      if (socket.writable) {
        socket.end(rawRefusal(refused));
        return;
      }
    }
    socket.destroy();
  }

  async #onConnect(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const connection = this.#connections.get(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const { client } = connection;
    clearTimeout(this.#timers.get(socket));
    try {
      if (connection.authority !== null) throw new RefusedError(connection.authority.host, 'a tunnel in a tunnel');
      const place = parseAuthority(request.url ?? '');
      client.quota.takeRequest(place.host);
      this.#options.allowList.checkTunnel(place.host, place.port, client.grants);
      const secureContext = await this.#options.authority.contextFor(place.host);
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) socket.unshift(head);
      const tls = new TLSSocket(socket, {
        isServer: true,
        secureContext,
        ALPNProtocols: ['http/1.1'],
        SNICallback: (name, callback) => {
          if (name.toLowerCase() === place.host) {
            callback(null, secureContext);
            return;
          }
          this.#refuse(client, new RefusedError(name, `it is named in a tunnel to ${place.host}`));
          callback(new Error('not the host of the tunnel'));
        },
      });
      tls.once('error', (error: NodeJS.ErrnoException) => {
        if (/WRONG_VERSION_NUMBER|HTTP_REQUEST|UNSUPPORTED_PROTOCOL|NOT_SSL/.test(error.code ?? '')) {
          this.#refuse(client, new RefusedError(place.host, 'what came through the tunnel is not TLS'));
        }
        socket.destroy();
      });
      this.#serve(tls, { client, authority: place });
    } catch (error) {
      const refused =
        error instanceof RefusedError ? error : new RefusedError('a tunnel', 'it could not be opened', 502);
      this.#refuse(client, refused);
      socket.end(rawRefusal(refused));
    }
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket: Duplex = request.socket;
    const connection = this.#connections.get(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    clearTimeout(this.#timers.get(socket));
    response.once('close', () => {
      this.#endIn(socket, idleMs);
    });
    const { client } = connection;
    let host = 'a request';
    try {
      const asked = targetOf(request, connection.authority);
      host = asked.hostname;
      const url = this.#options.allowList.resolve(asked);
      await this.#serveRequest(client, url, request, response);
    } catch (error) {
      this.#fail(client, host, error, response);
    }
  }

  #fail(client: GatewayClient, host: string, error: unknown, response: ServerResponse): void {
    // The client went away.
    if (response.destroyed) return;
    const refused = error instanceof RefusedError ? error : findRefusal(error);
    if (refused !== null) this.#refuse(client, refused);
    else this.#options.logger.info({ client: client.name, host: plainTarget(host), err: error }, 'registry failed');
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const failure = refused ?? new RefusedError(host, 'the registry could not be reached', 502);
    const body = bodyOf(failure, refused !== null);
    response.writeHead(failure.status, refused === null ? 'registry could not be reached' : refusalText, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      // A body that was not read must not be taken for the next request.
      connection: 'close',
    });
    response.end(body);
  }

  async #serveRequest(
    client: GatewayClient,
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const method = request.method ?? '';
    const registry = this.#options.allowList.check(method, url, client.grants);
    if (request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0') {
      throw new RefusedError(url.hostname, 'a request may carry no data', 400);
    }
    client.quota.takeRequest(url.hostname);
    const answer = await this.#answer(method, url, registry, request);
    const location = answer.headers['location'];
    if (registry !== null && answer.status >= 300 && answer.status < 400 && typeof location === 'string') {
      const next = URL.parse(location, url);
      if (next !== null && /^https?:$/.test(next.protocol)) client.grants.addUrl(withoutHash(next));
    }
    const body = registry === null ? answer.body() : await this.#readNames(client, registry, url, answer, method);
    response.writeHead(answer.status, answer.headers as Record<string, string | string[]>);
    const target = url.hostname;
    let bytes = 0;
    const paced = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of body) {
        bytes += chunk.length;
        await client.quota.pass(chunk.length, target);
        yield chunk;
      }
    };
    const stalled = setTimeout(() => response.destroy(), stalledMs);
    response.on('drain', () => stalled.refresh());
    try {
      await pipeline(Readable.from(paced(), { objectMode: false, highWaterMark: 64 * 1024 }), response);
    } finally {
      clearTimeout(stalled);
      client.onAnswer(answer.source, bytes);
    }
  }

  async #answer(
    method: string,
    url: URL,
    registry: AllowedRegistry | null,
    request: IncomingMessage,
  ): Promise<CachedAnswer> {
    const { cache, upstream } = this.#options;
    const headers: Record<string, string | string[] | undefined> = {};
    for (const name of forwarded) if (request.headers[name] !== undefined) headers[name] = request.headers[name];
    const own = registry?.authorization == null ? {} : { authorization: registry.authorization };
    const reach = registry?.reach ?? 'public';
    if (method === 'GET') {
      return cache.answer({ url, headers }, (sent, signal) =>
        upstream.fetch({ method, url, headers: { ...sent, ...own, host: url.host }, reach, signal }),
      );
    }
    const gone = new AbortController();
    request.once('close', () => {
      if (!request.complete) gone.abort();
    });
    return passed(await upstream.fetch({ method, url, headers: { ...headers, ...own }, reach, signal: gone.signal }));
  }

  /** An index is read before its client has the last of it: the client goes on to the hosts that it names. */
  async #readNames(
    client: GatewayClient,
    registry: AllowedRegistry,
    url: URL,
    answer: CachedAnswer,
    method: string,
  ): Promise<AsyncIterable<Buffer>> {
    const { index } = registry;
    const contentType = String(answer.headers['content-type'] ?? '');
    if (index === null || method !== 'GET' || answer.status !== 200 || !mayNameHosts(index, url, contentType)) {
      return answer.body();
    }
    let origins = answer.notes.get('origins');
    let body = answer.body();
    if (origins === undefined) {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const iterator = body[Symbol.asyncIterator]();
      let whole = false;
      while (bytes <= maxIndexBytes) {
        const next = await iterator.next();
        if (next.done === true) {
          whole = true;
          break;
        }
        chunks.push(next.value);
        bytes += next.value.length;
      }
      const contentEncoding = String(answer.headers['content-encoding'] ?? '');
      origins = whole ? namedOrigins(index, url, { contentType, contentEncoding, body: Buffer.concat(chunks) }) : [];
      answer.notes.set('origins', origins);
      body = rejoined(chunks, iterator, whole);
    }
    for (const origin of origins) client.grants.addOrigin(origin);
    return body;
  }
}

async function* rejoined(
  chunks: readonly Buffer[],
  rest: AsyncIterator<Buffer>,
  whole: boolean,
): AsyncGenerator<Buffer> {
  yield* chunks;
  while (!whole) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}

function withoutHash(url: URL): string {
  const plain = new URL(url);
  plain.hash = '';
  return plain.href;
}

/** "host:port" of a CONNECT, exactly so. @throws RefusedError */
function parseAuthority(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+):(\d{1,5})$/i.exec(text);
  if (match?.[1] === undefined) throw new RefusedError(plainTarget(text), 'it is no host with a port', 400);
  return { host: match[1].toLowerCase(), port: Number(match[2]) };
}

/** What a request asks for. @throws RefusedError when it says two things at once */
function targetOf(request: IncomingMessage, authority: Connection['authority']): URL {
  const target = request.url ?? '';
  const hosts = request.headersDistinct['host'] ?? [];
  const [host = ''] = hosts;
  if (hosts.length !== 1) throw new RefusedError('a request', 'it names no host, or several', 400);
  if (authority === null) {
    const url = /^http:\/\//i.test(target) ? URL.parse(target) : null;
    if (url === null) throw new RefusedError(host, 'it is no request to a proxy', 400);
    if (url.username !== '' || url.password !== '') throw new RefusedError(url.hostname, 'it carries a password', 400);
    if (url.host !== URL.parse(`http://${host}`)?.host) {
      throw new RefusedError(host, `the request itself is to ${plainTarget(url.host)}`, 400);
    }
    return url;
  }
  const base = `https://${authority.host}:${String(authority.port)}`;
  if (URL.parse(`https://${host}`)?.host !== new URL(base).host) {
    throw new RefusedError(host, `it is named in a tunnel to ${authority.host}`);
  }
  const url = target.startsWith('/') ? URL.parse(`${base}${target}`) : null;
  if (url?.hostname !== authority.host || portOf(url) !== authority.port) {
    throw new RefusedError(authority.host, 'it is no request of a tunnel', 400);
  }
  return url;
}

/** The refusal that an error of the network was caused by. */
function findRefusal(error: unknown): RefusedError | null {
  if (error instanceof RefusedError) return error;
  return error instanceof Error && error.cause !== undefined ? findRefusal(error.cause) : null;
}

function bodyOf({ refusal }: RefusedError, refused = true): string {
  const said = `${refusal.target}: ${refusal.reason}.\n`;
  return refused ? `Refused: ${refusalText}.\n${said}` : said;
}

function rawRefusal(refused: RefusedError): string {
  const body = bodyOf(refused);
  return (
    `HTTP/1.1 ${String(refused.status)} ${refusalText}\r\nConnection: close\r\n` +
    `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`
  );
}
