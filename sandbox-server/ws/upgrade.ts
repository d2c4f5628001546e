import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { WebSocketServer, type WebSocket } from 'ws';
import { z } from 'zod';
import type { Engine } from '../engines/engine.ts';
import type { Guard } from '../http/guard.ts';
import { BallastError, closeCodes, maxFrameBytes, sessionId, subprotocol, terminalName } from '../protocol/index.ts';
import type { Session } from '../sessions/session.ts';
import { closeCodeFor } from './connection.ts';
import { serveEvents } from './events-connection.ts';
import { serveTerminal } from './terminal-connection.ts';

/** Sockets of one session: its lab's terminals in several browser tabs, and events. */
const maxSocketsPerSession = 40;
const closeWaitMs = 2500;

const dimension = z.coerce.number().int().min(2).max(1000);
const sizeQuery = z.object({ cols: dimension.default(80), rows: dimension.default(24) });

type Target =
  | { readonly kind: 'events'; readonly session: string }
  | {
      readonly kind: 'terminal';
      readonly session: string;
      readonly name: string;
      readonly size: z.infer<typeof sizeQuery>;
    };

/** What an upgrade's address asks for. @throws BallastError not_found, bad_request */
export function parseTarget(address: string | undefined): Target {
  if (address === undefined || !URL.canParse(address, 'ws://ballast.invalid')) throw new BallastError('bad_request');
  const url = new URL(address, 'ws://ballast.invalid');
  const [, session = '', kind = '', name] =
    /^\/api\/sessions\/([^/]+)\/(events|terminals)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  if (!sessionId.safeParse(session).success) throw new BallastError('not_found');
  if (kind === 'events' && name === undefined) return { kind, session };
  if (kind !== 'terminals' || !terminalName.safeParse(name).success || name === undefined)
    throw new BallastError('not_found');
  const size = sizeQuery.safeParse(Object.fromEntries(url.searchParams));
  if (!size.success) throw new BallastError('bad_request', { message: 'cols and rows are 2 to 1000.' });
  return { kind: 'terminal', session, name, size: size.data };
}

/** Answers an upgrade with an HTTP error, in the one form that errors have. */
function refuse(socket: Duplex, error: BallastError): void {
  const body = JSON.stringify({ error: error.toBody() });
  socket.once('error', () => undefined);
  socket.end(
    [
      `HTTP/1.1 ${String(error.status)} Refused`,
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${String(Buffer.byteLength(body))}`,
      'X-Content-Type-Options: nosniff',
      '',
      body,
    ].join('\r\n'),
  );
}

export interface UpgradeOptions {
  readonly server: Server;
  readonly guard: Guard;
  readonly engine: Engine;
  readonly heartbeatMs: number;
  readonly logger: Logger;
  readonly publishImages: (session: Session) => void;
  /** Told of what goes to (in) and comes from (out) terminals. */
  readonly onTerminalBytes: (direction: 'in' | 'out', bytes: number) => void;
}

/**
 * Serves the WebSockets of the server.
 * @returns how to close them all; resolves when they are closed, at the latest after a few seconds
 */
export function handleUpgrades(options: UpgradeOptions): { close(): Promise<void> } {
  const { server, guard, logger } = options;
  const stopping = new AbortController();
  const socketsOf = new Map<string, number>();
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    // Only asked when one of the offered is ours.
    handleProtocols: () => subprotocol,
  });

  function count(session: Session, socket: WebSocket): void {
    socketsOf.set(session.id, (socketsOf.get(session.id) ?? 0) + 1);
    socket.once('close', () => {
      const left = (socketsOf.get(session.id) ?? 1) - 1;
      if (left > 0) socketsOf.set(session.id, left);
      else socketsOf.delete(session.id);
    });
  }

  /** What a browser must be able to tell apart is said on the socket: of a refused upgrade a page learns nothing. */
  function sayAndClose(socket: WebSocket, error: BallastError): void {
    socket.on('error', () => undefined);
    socket.send(JSON.stringify({ type: 'error', error: error.toBody() }));
    socket.close(error.code === 'session_not_found' ? closeCodes.notFound : closeCodeFor(error));
  }

  function serve(socket: WebSocket, session: Session, target: Target): void {
    count(session, socket);
    const { heartbeatMs, engine, publishImages } = options;
    if (target.kind === 'events') {
      serveEvents({ socket, session, heartbeatMs, logger, publishImages, signal: stopping.signal });
    } else {
      const { name, size } = target;
      serveTerminal({ socket, session, name, size, engine, heartbeatMs, logger, onBytes: options.onTerminalBytes });
    }
  }

  /** The session that the request may use, or why not. */
  function admit(request: IncomingMessage, target: Target): Session | BallastError {
    try {
      const session = guard.authenticate(request, target.session, true);
      if ((socketsOf.get(session.id) ?? 0) >= maxSocketsPerSession) return new BallastError('rate_limited');
      if (target.kind === 'terminal') session.use();
      return session;
    } catch (error) {
      // Another site's page is told nothing at all.
      if (error instanceof BallastError && error.code !== 'forbidden_origin') return error;
      throw error;
    }
  }

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    try {
      guard.checkHost(request);
      if (stopping.signal.aborted) throw new BallastError('shutting_down');
      const target = parseTarget(request.url);
      const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
      if (!offered.includes(subprotocol)) {
        throw new BallastError('bad_request', { message: `This socket speaks ${subprotocol}.` });
      }
      const admitted = admit(request, target);
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        if (admitted instanceof BallastError) sayAndClose(webSocket, admitted);
        else serve(webSocket, admitted, target);
      });
    } catch (error) {
      if (!(error instanceof BallastError)) logger.error({ err: error }, 'upgrade failed');
      refuse(socket, error instanceof BallastError ? error : new BallastError('internal'));
    }
  });

  return {
    async close() {
      stopping.abort();
      const allClosed = Promise.all(
        [...webSockets.clients].map(async (socket) => {
          if (socket.readyState !== socket.CLOSED) await once(socket, 'close');
        }),
      );
      const late = setTimeout(() => {
        for (const socket of webSockets.clients) socket.terminate();
      }, closeWaitMs);
      await allClosed;
      clearTimeout(late);
    },
  };
}
