/**
 * Whether to write colours to a stream: on a terminal that knows them, unless NO_COLOR is set (no-color.org). Programs
 * that run in CI read reports from pipes, and take escape sequences for text.
 */
export const hasColors = (stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean =>
  stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
