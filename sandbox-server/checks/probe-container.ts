import { randomBytes } from 'node:crypto';
import { BallastError } from '../protocol/index.ts';
import type { CheckContext } from './check-kind.ts';
import { dockerCli } from './docker-cli.ts';
import { lastLines } from './plain-text.ts';
import { ranOutOfMemory, readSandbox } from './sandbox-reading.ts';

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
  /** Pid of its first process, in the sandbox; 0 when it has ended. */
  pid(): Promise<number>;
  /**
   * Whether the sandbox has run out of its memory since the container was started; undefined when that can't be told.
   * @throws BallastError engine_failed when it was the machine that had none left
   */
  ranOutOfMemory(): Promise<boolean | undefined>;
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
  // Taken while the container is made, so that it takes no time of its own.
  const before = readSandbox(context.shell);
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
    const pid = async (): Promise<number> => Number(await inspect('{{.State.Pid}}'));
    const bindings = await inspect('{{json .NetworkSettings.Ports}}');
    const container: ProbeContainer = {
      name,
      port: Number(/"HostPort":"(\d+)"/.exec(bindings)?.[1] ?? Number.NaN),
      state,
      log,
      async listening() {
        const first = await pid();
        if (first === 0) return [];
        const files = ['tcp', 'tcp6'].map((table) => `/proc/${String(first)}/net/${table}`);
        const tables = await context.shell.run(['/usr/bin/cat', '--', ...files], {
          timeoutMs: shortMs,
          signal: context.signal,
        });
        return parseListening(tables.stdout);
      },
      pid,
      ranOutOfMemory: () => ranOutOfMemory(before, context.shell),
    };
    return await use({ started: true, container });
  } finally {
    // Not under the check's signal: what was started is removed even when the check's time is up.
    await context.shell.run([dockerCli, 'rm', '--force', '--volumes', '--', name], { timeoutMs: shortMs });
  }
}

/** How the line ends when the program, the user, the group or the folder that the image names is none. */
const imageTrouble = [
  /\bexec:? "?[^\n]*: (?:no such file or directory|permission denied|is a directory|not a directory|exec format error)(?:: unknown)?\.?\s*$/m,
  /executable file not found in \$PATH/,
  /no command specified/,
  /unable to find (?:user|group) |no matching entries in (?:passwd|group) file/,
  /chdir to cwd \([^\n]*\) set in config\.json failed: /,
];
/** Programs of the engine's own that are missing. */
const engineProgram = /exec: "(?:containerd[^"]*|runc|docker-init|docker-proxy)"/;
/** The cause stands at the end; what stands before is an image's own word, and may be long. */
const causeCharacters = 4096;

/** Whether `docker run`, `start` or `exec` failed because of the image and not of the engine: no such program or user. */
export function isImageFault(error: string): boolean {
  const cause = error.slice(-causeCharacters);
  return !engineProgram.test(cause) && imageTrouble.some((pattern) => pattern.test(cause));
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
