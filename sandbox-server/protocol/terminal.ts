import { z } from 'zod';
import { errorBody } from './errors.ts';

/** Subprotocol of both sockets; a change that old clients cannot read gets a new number. */
export const subprotocol = 'ballast.v1';

/** Largest WebSocket message either side may send, in bytes. */
export const maxFrameBytes = 256 * 1024;

/** Flow control: the server stops reading the sandbox once this many sent bytes are not acknowledged. */
export const highWaterBytes = 512 * 1024;
/** ... and goes on below this. */
export const lowWaterBytes = 128 * 1024;
/** The client acknowledges after it has rendered this many bytes. */
export const ackEveryBytes = 64 * 1024;

const columns = z.number().int().min(2).max(1000);
const rows = z.number().int().min(2).max(1000);

/** Control messages of a terminal socket, client to server. Keystrokes are binary frames. */
export const terminalClientMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('resize'), cols: columns, rows }),
  /** The client has rendered this many further bytes. */
  z.strictObject({ type: z.literal('ack'), bytes: z.number().int().positive().max(Number.MAX_SAFE_INTEGER) }),
  /** End the shell and its programs, not just this view of it. */
  z.strictObject({ type: z.literal('close') }),
]);
export type TerminalClientMessage = z.infer<typeof terminalClientMessage>;

/** Control messages of a terminal socket, server to client. Terminal output is binary frames. */
export const terminalServerMessage = z.discriminatedUnion('type', [
  /** What a shell that was already there has printed comes again: clear the screen and its scrollback. */
  z.strictObject({ type: z.literal('replay') }),
  /** The shell is attached; keystrokes are welcome. */
  z.strictObject({ type: z.literal('ready'), name: z.string(), resumed: z.boolean() }),
  /** Something that the learner should not miss: the sandbox ends soon. */
  z.strictObject({ type: z.literal('notice'), text: z.string() }),
  /** The shell has ended. */
  z.strictObject({ type: z.literal('exit'), code: z.number().int().nullable() }),
  z.strictObject({ type: z.literal('error'), error: errorBody }),
]);
export type TerminalServerMessage = z.infer<typeof terminalServerMessage>;

/** WebSocket close codes of our own (4000–4999 is the private range of RFC 6455). */
export const closeCodes = {
  /** The peer sent something that the schema refuses. */
  invalidMessage: 4400,
  unauthorized: 4401,
  notFound: 4404,
  /** The session has ended. */
  gone: 4410,
  /** The peer sent too much too fast. */
  flooding: 4429,
  /** The shell has ended; do not reconnect. */
  exited: 4200,
} as const;
