import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import { BallastError, type EventMessage } from '../protocol/index.ts';
import { isLive } from '../sessions/session-status.ts';
import type { Session } from '../sessions/session.ts';
import { closeCodeFor, createConnection } from './connection.ts';

/** Events are small; a client that lets this many bytes pile up reads nothing any more. */
const maxBacklogBytes = 4 * 1024 * 1024;

/**
 * Serves a session's events on a socket whose upgrade was accepted: first how it stands, then what happens.
 * @param publishImages tells all listeners of the session which images there are
 */
export function serveEvents(options: {
  readonly socket: WebSocket;
  readonly session: Session;
  readonly heartbeatMs: number;
  readonly logger: Logger;
  readonly publishImages: (session: Session) => void;
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
}): void {
  const { socket, session, signal } = options;
  const connection = createConnection<never, EventMessage>({
    socket,
    schema: z.never(),
    heartbeatMs: options.heartbeatMs,
    logger: options.logger,
    onMessage: () => undefined,
    onClose() {
      unsubscribe();
      signal.removeEventListener('abort', onStop);
    },
  });

  const unsubscribe = session.subscribe((message) => {
    connection.send(message);
    if (connection.backlog > maxBacklogBytes) socket.terminate();
    if (message.type === 'session' && message.session.state === 'closed') {
      const error = new BallastError('session_not_found');
      connection.fail(error, closeCodeFor(error));
    }
  });
  const onStop = (): void => {
    const error = new BallastError('shutting_down');
    connection.fail(error, closeCodeFor(error));
  };
  signal.addEventListener('abort', onStop, { once: true });

  connection.send({ type: 'session', session: session.view() });
  if (isLive(session.status)) options.publishImages(session);
}
