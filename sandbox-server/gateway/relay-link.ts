import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { RelayChannels } from './relay-channels.ts';
import { relayAddress, relayPort } from './sandbox-files.ts';

const readyMs = 20_000;
const firstRestartMs = 250;
const longestRestartMs = 15_000;

export interface RelayLinkOptions {
  readonly engine: Engine;
  readonly sandboxId: string;
  /** See sandboxFiles. */
  readonly files: Buffer;
  /** Connections at once; further ones wait in the sandbox. */
  readonly maxStreams: number;
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly onStream: (stream: Duplex) => void;
}

/** The relay in one sandbox, started again whenever it ends, for as long as there is the sandbox. */
export class RelayLink {
  readonly #options: RelayLinkOptions;
  #channels: RelayChannels | null = null;

  private constructor(options: RelayLinkOptions) {
    this.#options = options;
  }

  /** Resolves when programs in the sandbox can connect. @throws BallastError sandbox_failed */
  static async open(options: RelayLinkOptions): Promise<RelayLink> {
    const link = new RelayLink(options);
    const first = await link.#start();
    void link.#keep(first);
    return link;
  }

  /** A line for the build that is under way in the sandbox. */
  note(line: string): void {
    this.#channels?.note(line);
  }

  async #start(): Promise<RelayChannels> {
    const { engine, sandboxId, files, maxStreams, signal } = this.#options;
    signal.throwIfAborted();
    const argv = ['/usr/local/lib/ballast/use-gateway', files.length, relayAddress, relayPort, maxStreams].map(String);
    const exec = await engine.exec(sandboxId, { argv, user: 'learner', cwd: '/home/learner' });
    let words = '';
    exec.stderr.on('data', (chunk: Buffer) => {
      if (words.length < 2000) words += chunk.toString('utf8');
    });
    exec.stdin.on('error', () => undefined);
    exec.stdin.write(files);
    const channels = new RelayChannels(exec, {
      maxStreams,
      onStream: (stream) => {
        this.#options.onStream(stream);
      },
    });
    const stop = (): void => {
      // The end of its input ends it, and after that the connection.
      exec.stdin.end();
      setTimeout(() => {
        exec.destroy();
      }, 1000).unref();
    };
    signal.addEventListener('abort', stop, { once: true });
    void channels.ended
      .catch((error: unknown) => {
        if (!signal.aborted) this.#options.logger.warn({ err: error, sandbox: sandboxId }, 'a relay was ended');
      })
      .finally(() => {
        signal.removeEventListener('abort', stop);
        stop();
      });
    const timeout = setTimeout(() => {
      exec.destroy();
    }, readyMs);
    try {
      await channels.ready;
    } catch (cause) {
      exec.destroy();
      throw new BallastError('sandbox_failed', {
        message: `The package gateway's relay did not start in the sandbox. ${words.trim()}`,
        cause,
      });
    } finally {
      clearTimeout(timeout);
    }
    this.#channels = channels;
    return channels;
  }

  async #keep(first: RelayChannels): Promise<void> {
    const { engine, sandboxId, signal, logger } = this.#options;
    const isOver = (): boolean => signal.aborted;
    let waitMs = firstRestartMs;
    await first.ended.catch(() => undefined);
    for (;;) {
      await delay(waitMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (isOver()) return;
      waitMs = Math.min(waitMs * 2, longestRestartMs);
      try {
        // Ended with its sandbox, it is not missed.
        if ((await engine.inspectSandbox(sandboxId))?.running !== true) return;
        const channels = await this.#start();
        waitMs = firstRestartMs;
        await channels.ended.catch(() => undefined);
      } catch (error) {
        if (!isOver()) logger.info({ err: error, sandbox: sandboxId }, 'a relay could not be started again yet');
      }
    }
  }
}
