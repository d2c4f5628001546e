import { createInterface } from 'node:readline';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Engine } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { holdLease } from '../sessions/hold-lease.ts';

const keptLines = 15;

export interface SeederRun {
  readonly stdin?: Readable;
  readonly env?: Readonly<Record<string, string>>;
  /** Each line of standard output and standard error, as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface SeederResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly lastLines: string;
}

/** Runs programs in the seeder, with their output as it comes; they take minutes and have no time limit of their own. */
export class Seeder {
  readonly #engine: Engine;
  readonly #id: string;

  constructor(engine: Engine, id: string) {
    this.#engine = engine;
    this.#id = id;
  }

  /** Run a program to its end, whatever its exit code. */
  async try(argv: readonly string[], options: SeederRun = {}): Promise<SeederResult> {
    const { stdin, env, onLine } = options;
    const exec = await this.#engine.exec(this.#id, { argv, ...(env === undefined ? {} : { env }) });
    const last: string[] = [];
    const stdout: Buffer[] = [];
    const readLines = async (source: Readable, keep: boolean): Promise<void> => {
      const copy = new PassThrough();
      const lines = createInterface({ input: copy, crlfDelay: Infinity });
      lines.on('line', (line) => {
        if (line.trim() === '') return;
        last.push(line);
        if (last.length > keptLines) last.shift();
        onLine?.(line);
      });
      for await (const chunk of source as AsyncIterable<Buffer>) {
        if (keep) stdout.push(chunk);
        copy.write(chunk);
      }
      copy.end();
    };
    const feed = stdin === undefined ? Promise.resolve(exec.stdin.end()) : pipeline(stdin, exec.stdin);
    await Promise.all([readLines(exec.stdout, true), readLines(exec.stderr, false), feed]);
    const exitCode = await exec.exitCode();
    return { exitCode, stdout: Buffer.concat(stdout).toString('utf8'), lastLines: last.join('\n') };
  }

  /**
   * Run a program that must succeed.
   * @returns its standard output.
   * @throws BallastError setup_failed with its last lines.
   */
  async run(argv: readonly string[], options: SeederRun = {}): Promise<string> {
    const result = await this.try(argv, options);
    if (result.exitCode === 0) return result.stdout;
    const full = /no space left on device/i.test(result.lastLines);
    throw new BallastError(full ? 'disk_full' : 'setup_failed', {
      message: `${argv.slice(0, 3).join(' ')} failed while obtaining the base images:\n${result.lastLines}`,
    });
  }

  /**
   * Tie the seeder's life to this process: when the connection breaks (a killed set-up), it stops by itself and the
   * next set-up finds it stopped.
   */
  async holdLease(): Promise<void> {
    await holdLease(this.#engine, this.#id);
  }
}
