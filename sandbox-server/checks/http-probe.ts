import type { CheckContext } from './check-kind.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** By name, in small letters. */
  readonly headers: ReadonlyMap<string, string>;
}

/** One request from inside the sandbox; undefined when there was no HTTP answer. */
export async function ask(port: number, path: string, context: CheckContext): Promise<Answer | undefined> {
  const argv = [
    '/usr/bin/curl',
    '--disable',
    '--silent',
    '--globoff',
    '--path-as-is',
    '--noproxy',
    '*',
    '--max-time',
    '5',
    '--include',
    '--',
    `http://127.0.0.1:${String(port)}${path}`,
  ];
  const result = await context.shell.run(argv, {
    timeoutMs: 10_000,
    maxOutputBytes: 64 * 1024,
    signal: context.signal,
  });
  return result.exitCode === 0 ? parseAnswer(result.stdout) : undefined;
}

/** An answer as it stands on the wire; undefined when it is none of HTTP. */
export function parseAnswer(text: string): Answer | undefined {
  const [, status, lines = '', body = ''] =
    /^HTTP\/[\d.]+ (\d{3})[^\n]*\n((?:[^\r\n]+\r?\n)*)\r?\n(.*)$/s.exec(text) ?? [];
  if (status === undefined) return undefined;
  const headers = lines.split('\n').flatMap((line) => {
    const at = line.indexOf(':');
    return at <= 0 ? [] : [[line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const];
  });
  return { status: Number(status), body, headers: new Map(headers) };
}
