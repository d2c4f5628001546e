import { randomBytes } from 'node:crypto';
import { BallastError } from '../protocol/index.ts';
import type { CheckContext } from './check-kind.ts';
import { dockerCli } from './docker-cli.ts';
import { lastLines } from './plain-text.ts';

/** How far a container of the learner's image has come. */
export type ProbeState =
  { readonly status: 'running' } | { readonly status: 'exited'; readonly exitCode: number; readonly log: string };

/** A container of the learner's image, made for one check. */
export interface ProbeContainer {
  /** Port on the sandbox's loopback that leads to the container's. */
  readonly port: number;
  /** Name in the sandbox's engine. */
  readonly name: string;
  state(): Promise<ProbeState>;
  /** Last lines that it printed. */
  log(): Promise<string>;
  /** TCP ports its programs listen on, each with whether only its own loopback reaches it. */
  listening(): Promise<readonly ListeningPort[]>;
}

export interface ListeningPort {
  readonly port: number;
  readonly loopbackOnly: boolean;
}

export type ProbeStart =
  | { readonly started: true; readonly container: ProbeContainer }
  /** The engine could not start the image's program; `error` are its words. */
  | { readonly started: false; readonly error: string };

export interface ProbeRequest {
  readonly image: string;
  /** Port of the container to publish; none when left out. */
  readonly port?: number | undefined;
  /** Further options of `docker run`, of our own making and never a learner's words. */
  readonly options?: readonly string[];
  /** Arguments for the image's program, in place of its CMD. */
  readonly args?: readonly string[];
}

const shortMs = 20_000;
const shownLines = 6;

/**
 * Run the learner's image, with one port published on loopback where asked, and remove the container whatever happens.
 * @param use judges what was started
 * @throws BallastError engine_failed when it is the engine that fails and not the image.
 */
export async function withProbeContainer<Result>(
  context: CheckContext,
  request: ProbeRequest,
  use: (start: ProbeStart) => Promise<Result>,
): Promise<Result> {
  const name = `ballast-check-${randomBytes(6).toString('hex')}`;
  const docker = (argv: readonly string[]) =>
    context.shell.run([dockerCli, ...argv], { timeoutMs: shortMs, signal: context.signal });
  const inspect = async (format: string): Promise<string> => {
    const answer = await docker(['container', 'inspect', '--format', format, '--', name]);
    if (answer.exitCode !== 0) throw new BallastError('engine_failed', { message: answer.stderr.trim() });
    return answer.stdout.trim();
  };
  try {
    const { image, port, options = [], args = [] } = request;
    const argv = [
      'run',
      '--detach',
      '--name',
      name,
      '--label',
      'ballast.check=true',
      ...(port === undefined ? [] : ['--publish', `127.0.0.1::${String(port)}`]),
      ...options,
      '--',
      image,
      ...args,
    ];
    const run = await docker(argv);
    if (run.exitCode !== 0) {
      const error = run.stderr.trim();
      if (!isImageFault(error))
        throw new BallastError('engine_failed', { message: `docker run: ${lastLines(error, 2)}` });
      return await use({ started: false, error });
    }
    const log = async (): Promise<string> => {
      const answer = await docker(['logs', '--tail', '20', '--', name]);
      return lastLines(`${answer.stdout}${answer.stderr}`, shownLines);
    };
    const state = async (): Promise<ProbeState> => {
      const [status = '', code = ''] = (await inspect('{{.State.Status}} {{.State.ExitCode}}')).split(' ');
      return status === 'running' || status === 'created'
        ? { status: 'running' }
        : { status: 'exited', exitCode: Number(code), log: await log() };
    };
    const bindings = await inspect('{{json .NetworkSettings.Ports}}');
    const container: ProbeContainer = {
      name,
      port: Number(/"HostPort":"(\d+)"/.exec(bindings)?.[1] ?? Number.NaN),
      state,
      log,
      async listening() {
        const pid = await inspect('{{.State.Pid}}');
        if (!/^[1-9]\d*$/.test(pid)) return [];
        const files = [`/proc/${pid}/net/tcp`, `/proc/${pid}/net/tcp6`];
        const tables = await context.shell.run(['/usr/bin/cat', '--', ...files], {
          timeoutMs: shortMs,
          signal: context.signal,
        });
        return parseListening(tables.stdout);
      },
    };
    return await use({ started: true, container });
  } finally {
    // Not under the check's signal: what was started is removed even when the check's time is up.
    await context.shell.run([dockerCli, 'rm', '--force', '--volumes', '--', name], { timeoutMs: shortMs });
  }
}

/** What `docker run` says when the image is at fault: no such program, no such user, no entrypoint. */
export function isImageFault(error: string): boolean {
  return /OCI runtime create failed|executable file not found|no command specified|no such file or directory|permission denied|unable to find user|exec format error/i.test(
    error,
  );
}

/** The table of sockets that Linux shows in /proc/<pid>/net/tcp and tcp6: those that listen. */
export function parseListening(tables: string): ListeningPort[] {
  const listenState = '0A';
  const ports = new Map<number, boolean>();
  for (const line of tables.split('\n')) {
    const [, address, hexPort, state] =
      /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F]+:[0-9A-F]{4} ([0-9A-F]{2}) /.exec(line) ?? [];
    if (address === undefined || hexPort === undefined || state !== listenState) continue;
    // 127.0.0.1 and ::1, in the byte order of the machine; Docker's own resolver listens on 127.0.0.11.
    if (address === '0B00007F') continue;
    const loopback = address === '0100007F' || address === '00000000000000000000000001000000';
    const port = Number.parseInt(hexPort, 16);
    ports.set(port, (ports.get(port) ?? true) && loopback);
  }
  return [...ports].map(([port, loopbackOnly]) => ({ port, loopbackOnly }));
}
