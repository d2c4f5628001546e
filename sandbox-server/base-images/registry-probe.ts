import { Readable } from 'node:stream';
import { z } from 'zod';
import type { RegistryCredentials } from '../engines/engine.ts';
import { classifyStatus, type PullFailure } from './pull-failure.ts';
import type { PullSource } from './pull-source.ts';
import type { Seeder } from './seeder.ts';

/** A registry that has not answered by then counts as out of reach. */
const patienceSeconds = 15;

const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Exit codes of curl, as its manual lists them. */
const curlFailures: Readonly<Record<number, PullFailure['kind']>> = {
  5: 'unreachable',
  6: 'unreachable',
  7: 'unreachable',
  18: 'cut',
  28: 'unreachable',
  35: 'unreachable',
  52: 'cut',
  56: 'cut',
  60: 'untrusted',
};

const tokenShape = z.object({ token: z.string().optional(), access_token: z.string().optional() });

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Status, headers and body of what `curl --include` printed. */
export function parseAnswer(text: string): Answer {
  const [, head = '', rest = ''] = /^(.*?)(?:\r?\n\r?\n(.*))?$/s.exec(text) ?? [];
  // A proxy's answer to CONNECT comes before the registry's.
  if (/^HTTP\/\d/.test(rest)) return parseAnswer(rest);
  const [first = '', ...lines] = head.split(/\r?\n/);
  const headers = new Map(
    lines.flatMap((line) => {
      const match = /^([^:]+):\s*(.*)$/.exec(line);
      return match?.[1] === undefined ? [] : [[match[1].toLowerCase(), match[2] ?? ''] as const];
    }),
  );
  return { status: Number(/^HTTP\/\S+ (\d{3})/.exec(first)?.[1] ?? 0), headers, body: rest };
}

/** Scheme and parameters of a WWW-Authenticate header. */
export function parseChallenge(header: string): { scheme: string; parameters: ReadonlyMap<string, string> } {
  const [, scheme = '', rest = ''] = /^\s*(\S+)\s*(.*)$/.exec(header) ?? [];
  const parameters = new Map(
    [...rest.matchAll(/([a-z_]+)="([^"]*)"/gi)].map(([, name = '', value = '']) => [name, value]),
  );
  return { scheme: scheme.toLowerCase(), parameters };
}

const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** Asks registries from where images will be pulled to, so that it meets the same name servers, proxies and limits. */
export class RegistryProbe {
  readonly #seeder: Seeder;
  readonly #caFile: string;

  /** @param caFile in the seeder: all authorities that are trusted. */
  constructor(seeder: Seeder, caFile: string) {
    this.#seeder = seeder;
    this.#caFile = caFile;
  }

  /** What curl is told goes through its standard input: arguments can be read by every process. */
  async #curl(lines: readonly string[], insecure: boolean): Promise<Answer | PullFailure> {
    const { exitCode, stdout, lastLines } = await this.#seeder.try(
      [
        '/usr/bin/curl',
        '--silent',
        '--show-error',
        '--config',
        '-',
        '--cacert',
        this.#caFile,
        '--max-time',
        String(patienceSeconds),
        '--max-filesize',
        '1000000',
        ...(insecure ? ['--insecure'] : []),
      ],
      { stdin: Readable.from([Buffer.from(`${lines.join('\n')}\n`)]) },
    );
    if (exitCode === 0) return parseAnswer(stdout);
    const detail = /curl: \(\d+\) .*/.exec(lastLines)?.[0] ?? `curl: exit code ${String(exitCode)}`;
    return { kind: curlFailures[exitCode] ?? 'failed', detail };
  }

  /** A token for the challenge of a registry, or why there is none. */
  async #token(
    source: PullSource,
    challenge: ReadonlyMap<string, string>,
    credentials: RegistryCredentials | undefined,
  ): Promise<string | PullFailure> {
    const realm = challenge.get('realm') ?? '';
    // A secret that came for an encrypted connection does not go over another.
    if (!URL.canParse(realm) || (new URL(realm).protocol !== 'https:' && !source.insecure))
      return { kind: 'denied', detail: 'it names no place to log in at' };
    const url = new URL(realm);
    for (const name of ['service', 'scope']) {
      const value = challenge.get(name);
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const basic =
      credentials !== undefined && 'password' in credentials
        ? [`user = ${quoted(`${credentials.username}:${credentials.password}`)}`]
        : [];
    const answer = await this.#curl([`url = ${quoted(url.href)}`, 'include', ...basic], source.insecure);
    if ('kind' in answer) return answer;
    const failure = classifyStatus(answer.status, answer.headers.get('retry-after'));
    if (failure !== null) return failure;
    try {
      const { token, access_token: accessToken } = tokenShape.parse(JSON.parse(answer.body));
      return token ?? accessToken ?? { kind: 'denied', detail: 'it gave no token' };
    } catch {
      return { kind: 'failed', detail: 'its answer to the log-in is not JSON' };
    }
  }

  async #askAt(
    url: string,
    source: PullSource,
    credentials: RegistryCredentials | undefined,
  ): Promise<PullFailure | null> {
    const head = [`url = ${quoted(url)}`, 'head', `header = ${quoted(`Accept: ${manifestTypes}`)}`];
    const ask = (further: readonly string[]): Promise<Answer | PullFailure> =>
      this.#curl([...head, ...further], source.insecure);
    const bearer = (token: string): string => `header = ${quoted(`Authorization: Bearer ${token}`)}`;
    const ready =
      credentials !== undefined && 'registryToken' in credentials ? [bearer(credentials.registryToken)] : [];
    let answer = await ask(ready);
    if (!('kind' in answer) && answer.status === 401 && ready.length === 0) {
      const { scheme, parameters } = parseChallenge(answer.headers.get('www-authenticate') ?? '');
      if (scheme === 'bearer') {
        const token = await this.#token(source, parameters, credentials);
        if (typeof token !== 'string') return token;
        answer = await ask([bearer(token)]);
      } else if (scheme === 'basic' && credentials !== undefined && 'password' in credentials) {
        answer = await ask([`user = ${quoted(`${credentials.username}:${credentials.password}`)}`]);
      }
    }
    if ('kind' in answer) return answer;
    return classifyStatus(answer.status, answer.headers.get('retry-after'));
  }

  /**
   * Ask whether an image can be had, without fetching it.
   * @returns null when it can.
   */
  async ask(source: PullSource, credentials: RegistryCredentials | undefined): Promise<PullFailure | null> {
    let last: PullFailure | null = null;
    for (const url of source.manifestUrls) {
      last = await this.#askAt(url, source, credentials);
      // Plain HTTP comes second, and only where nothing speaks TLS.
      if (last === null || (last.kind !== 'unreachable' && last.kind !== 'cut')) return last;
    }
    return last;
  }
}
