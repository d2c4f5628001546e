import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';

/** Places where a token or cookie could slip into a log line. */
const secretPaths = [
  'token',
  '*.token',
  'authorization',
  'cookie',
  'headers.authorization',
  'headers.cookie',
  'headers["set-cookie"]',
  '*.headers.authorization',
  '*.headers.cookie',
  '*.headers["set-cookie"]',
];

/**
 * Escapes what JSON lets through but a terminal would obey: DEL, the C1 controls, line separators and the marks that
 * turn the direction of text. The line stays valid JSON.
 */
export function escapeControls(line: string): string {
  return line.replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * The server's logger: one JSON object a line, tokens and cookies redacted, control characters escaped.
 * @param level least serious level that is written
 * @param output where the lines go; standard error when left out, since results own standard output
 */
export function createLogger(level: string, output: NodeJS.WritableStream = process.stderr): Logger {
  const escaping = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      output.write(escapeControls(chunk.toString()));
      done();
    },
  });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secretPaths, censor: '[redacted]' },
    },
    escaping,
  );
}
