import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { z } from 'zod';
import { BallastError, closeCodes } from '../protocol/index.ts';
import { createRateMeter } from './rate-meter.ts';

/** Control messages are few; a class of clients that drag a window border stays far below this. */
const controlRate = { burst: 300, perSecond: 60 };
/** A paste of a large file is a burst; the sandbox's own reading pace slows it down before this does. */
const inputRate = { burst: 8 * 1024 * 1024, perSecond: 2 * 1024 * 1024 };

/** How often a peer is asked whether it lives, in ms. One that has not answered by the next time is dropped. */
export const defaultHeartbeatMs = 20_000;

export interface ConnectionOptions<Incoming> {
  readonly socket: WebSocket;
  readonly schema: z.ZodType<Incoming>;
  readonly heartbeatMs: number;
  readonly logger: Logger;
  onMessage(message: Incoming): void;
  /** Left out where the peer must not send bytes. */
  onBytes?(bytes: Buffer): void;
  /** What one message costs of the allowance for control messages. */
  cost?(message: Incoming): number;
  onClose(): void;
}

/** One WebSocket of ours: everything that comes in is validated, everything that goes out is typed. */
export interface Connection<Outgoing> {
  send(message: Outgoing): void;
  /** @param sent called when the bytes are with the operating system */
  sendBytes(bytes: Buffer, sent: () => void): void;
  /** Say why, then close. */
  fail(error: BallastError, closeCode: number): void;
  close(closeCode: number): void;
  /** Stop reading from the peer, and go on. */
  setPaused(paused: boolean): void;
  readonly open: boolean;
  /** Bytes that wait for the network. */
  readonly backlog: number;
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** Close code that goes with an error that ends a socket. */
export function closeCodeFor(error: BallastError): number {
  if (error.code === 'unauthorized') return closeCodes.unauthorized;
  if (error.code === 'session_not_found') return closeCodes.gone;
  // 1001: going away; 1013: try again later.
  return error.code === 'shutting_down' ? 1001 : 1013;
}

/** Takes over a socket whose upgrade was accepted. */
export function createConnection<Incoming, Outgoing>(options: ConnectionOptions<Incoming>): Connection<Outgoing> {
  const { socket, logger } = options;
  const control = createRateMeter(controlRate);
  const input = createRateMeter(inputRate);
  let alive = true;

  const heartbeat = setInterval(() => {
    // A paused socket reads no pongs: it is our own doing, and it lives as long as we can write to it.
    if (!alive && !socket.isPaused) {
      socket.terminate();
      return;
    }
    alive = false;
    socket.ping();
  }, options.heartbeatMs);
  heartbeat.unref();

  const connection: Connection<Outgoing> = {
    send(message) {
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
    },
    sendBytes(bytes, sent) {
      if (socket.readyState === socket.OPEN) {
        socket.send(bytes, { binary: true }, () => {
          sent();
        });
      }
    },
    fail(error, closeCode) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(JSON.stringify({ type: 'error', error: error.toBody() }));
      connection.close(closeCode);
    },
    close(closeCode) {
      // A paused socket would never see the other side's answer.
      if (socket.isPaused) socket.resume();
      socket.close(closeCode);
    },
    setPaused(paused) {
      if (paused) socket.pause();
      else if (socket.isPaused) socket.resume();
    },
    get open() {
      return socket.readyState === socket.OPEN;
    },
    get backlog() {
      return socket.bufferedAmount;
    },
  };

  const refuse = (message: string): void => {
    connection.fail(new BallastError('bad_request', { message }), closeCodes.invalidMessage);
  };
  const flooding = (): void => {
    connection.fail(new BallastError('rate_limited'), closeCodes.flooding);
  };

  function parse(text: string): Incoming | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    const parsed = options.schema.safeParse(value);
    return parsed.success ? parsed.data : undefined;
  }

  socket.on('message', (data, isBinary) => {
    // After a refusal, what is still on its way is not looked at.
    if (socket.readyState !== socket.OPEN) return;
    alive = true;
    if (isBinary) {
      const bytes = toBuffer(data);
      if (options.onBytes === undefined) refuse('This socket takes no bytes.');
      else if (!input.take(bytes.length)) flooding();
      else options.onBytes(bytes);
      return;
    }
    const message = parse(toBuffer(data).toString('utf8'));
    if (message === undefined) refuse('The message is not one of the protocol.');
    else if (!control.take(options.cost?.(message) ?? 1)) flooding();
    else options.onMessage(message);
  });
  socket.on('pong', () => {
    alive = true;
  });
  // ws closes by itself after an error of the peer (a frame too large, bad UTF-8), with the right code.
  socket.on('error', (error) => {
    logger.debug({ err: error }, 'socket error');
  });
  socket.on('close', () => {
    clearInterval(heartbeat);
    options.onClose();
  });
  return connection;
}
