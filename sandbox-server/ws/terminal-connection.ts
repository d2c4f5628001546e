import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { Engine } from '../engines/engine.ts';
import {
  ackEveryBytes,
  BallastError,
  closeCodes,
  highWaterBytes,
  lowWaterBytes,
  terminalClientMessage,
  type TerminalServerMessage,
} from '../protocol/index.ts';
import type { Session } from '../sessions/session.ts';
import { forgetTerminal, killTerminal, openTerminal, type OpenTerminal } from '../sessions/terminals.ts';
import { closeCodeFor, createConnection } from './connection.ts';
import { createFlowControl } from './flow-control.ts';
import { createOutputBatcher } from './output-batcher.ts';

/** What ballast-terminal takes as "let go of this view". */
const detachKey = '\u001b[5099~';
/** What it takes as "end this terminal". */
const killKey = '\u001b[5098~';
const detachWaitMs = 1000;
/** Largest binary frame that we send. */
const frameBytes = 64 * 1024;
const quietMs = 4;

export interface TerminalConnectionOptions {
  readonly socket: WebSocket;
  readonly session: Session;
  readonly name: string;
  readonly size: { readonly cols: number; readonly rows: number };
  readonly engine: Engine;
  readonly heartbeatMs: number;
  readonly logger: Logger;
  /** Told of what goes to (in) and comes from (out) the terminal. */
  readonly onBytes: (direction: 'in' | 'out', bytes: number) => void;
}

/** Ends a view without ending its shell. It is asked to, since a Docker exec cannot be ended from outside. */
function detach({ exec }: OpenTerminal): void {
  const { stream } = exec;
  const drop = setTimeout(() => {
    exec.destroy();
  }, detachWaitMs);
  const done = (): void => {
    clearTimeout(drop);
    exec.destroy();
  };
  stream.removeAllListeners('data');
  stream.once('end', done);
  stream.once('close', done);
  // Whatever is still to come must be read, or the view could not end.
  stream.resume();
  if (stream.writable) stream.write(detachKey);
}

/** Serves one view of a terminal on a socket whose upgrade was accepted. */
export function serveTerminal(options: TerminalConnectionOptions): void {
  const { socket, session, name, engine, logger } = options;
  const flow = createFlowControl(highWaterBytes, lowWaterBytes);
  const signal = session.use().signal;
  let { size } = options;
  let terminal: OpenTerminal | null = null;
  let closed = false;
  let mustEnd = false;

  const connection = createConnection<ReturnType<typeof terminalClientMessage.parse>, TerminalServerMessage>({
    socket,
    schema: terminalClientMessage,
    heartbeatMs: options.heartbeatMs,
    logger,
    // Acknowledgements keep pace with the output that they answer; only needlessly small ones count.
    cost: (message) => (message.type === 'ack' && message.bytes >= ackEveryBytes / 4 ? 0 : 1),
    onMessage(message) {
      switch (message.type) {
        case 'resize':
          size = { cols: message.cols, rows: message.rows };
          terminal?.exec.resize(size.cols, size.rows).catch(fail);
          break;
        case 'ack':
          if (flow.acknowledged(message.bytes)) regulate();
          else {
            const error = new BallastError('bad_request', { message: 'More was acknowledged than was sent.' });
            connection.fail(error, closeCodes.invalidMessage);
          }
          break;
        case 'close':
          mustEnd = true;
          killTerminal(session, name).catch(fail);
          end();
      }
    },
    onBytes(bytes) {
      // Until the shell is attached nothing is read from the socket but what was on its way.
      if (!terminal?.exec.stream.writable) return;
      session.touch();
      options.onBytes('in', bytes.length);
      if (!terminal.exec.stream.write(bytes)) {
        connection.setPaused(true);
        terminal.exec.stream.once('drain', () => {
          connection.setPaused(false);
        });
      }
    },
    onClose() {
      closed = true;
      signal.removeEventListener('abort', onGone);
      stopWarning();
      batcher.stop();
      if (terminal !== null) detach(terminal);
    },
  });

  /** A view that is still starting the shell has none that could be killed from outside: it is told. */
  function end(): void {
    if (terminal?.exec.stream.writable === true) terminal.exec.stream.write(killKey);
  }

  function send(bytes: Buffer): void {
    flow.sent(bytes.length);
    options.onBytes('out', bytes.length);
    connection.sendBytes(bytes, regulate);
    regulate();
  }

  /** The sandbox waits while the client or the network is behind. */
  function regulate(): void {
    if (terminal === null || closed) return;
    const { stream } = terminal.exec;
    const mustWait = flow.paused || connection.backlog > highWaterBytes;
    if (mustWait && !stream.isPaused()) stream.pause();
    else if (!mustWait && stream.isPaused()) stream.resume();
  }

  const batcher = createOutputBatcher(send, { quietMs, maxBytes: frameBytes });

  function fail(error: unknown): void {
    if (closed || signal.aborted) return;
    const told = error instanceof BallastError ? error : new BallastError('internal', { cause: error });
    logger.warn({ err: error, session: session.id, terminal: name }, 'terminal failed');
    connection.fail(told, closeCodeFor(told));
  }

  const onGone = (): void => {
    const why = signal.reason instanceof BallastError ? signal.reason : new BallastError('session_not_ready');
    batcher.flush();
    connection.fail(why, closeCodeFor(why));
  };
  signal.addEventListener('abort', onGone, { once: true });
  // A message and no bytes: it must not come between those of a program that draws the screen.
  const stopWarning = session.onWarning((text) => {
    connection.send({ type: 'notice', text });
  });

  async function ended(exec: OpenTerminal['exec']): Promise<void> {
    batcher.flush();
    if (closed || signal.aborted) return;
    const code = await exec.exitCode().catch(() => null);
    forgetTerminal(session, name);
    connection.send({ type: 'exit', code });
    connection.close(closeCodes.exited);
  }

  async function start(): Promise<void> {
    const asked = size;
    const opened = await openTerminal(engine, session, name, size);
    if (closed || signal.aborted) {
      detach(opened);
      return;
    }
    terminal = opened;
    const { exec, resumed } = opened;
    // The view itself begins with what the shell had printed.
    connection.send({ type: 'replay' });
    if (size !== asked) exec.resize(size.cols, size.rows).catch(fail);
    connection.send({ type: 'ready', name, resumed });
    exec.stream.on('data', (chunk: Buffer) => {
      batcher.push(chunk);
    });
    exec.stream.once('end', () => void ended(exec));
    if (mustEnd) end();
    regulate();
  }

  start().catch((error: unknown) => {
    if (!(error instanceof BallastError) || error.status >= 500) fail(error);
    else connection.fail(error, closeCodeFor(error));
  });
}
