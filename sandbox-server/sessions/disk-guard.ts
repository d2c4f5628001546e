import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import type { DiskRoom, Engine } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import type { Sandbox, Session } from './session.ts';

const gigabyte = 1024 ** 3;
const mebibyte = 1024 ** 2;
/**
 * Look at what each sandbox takes when so much of the disk, or so many files, have gone since the last look: or less, where
 * one of them has not so much left.
 */
const lookAfterAtMost = { bytes: 128 * mebibyte, files: 50_000 };
/** Part of its limit that a sandbox at or over it may take before the next look. */
const leastHeadroom = 1 / 16;
/** A look costs the engine a walk over its data: never spend more than a fifth of the time on it. */
const restAfterLook = 4;
/** Where the engine's disk cannot be seen from here, look each so often. */
const blindLookMs = 15_000;
/** Growth, in parts of what a sandbox may take, that says its programs go on although they were stopped. */
const defiance = 1 / 8;
/** Beyond so many times what it may take, a sandbox that defies is not kept. */
const hopeless = 2;
/** Part of the disk's files that stays free. */
const filesReserve = 0.05;

const stopPrograms = '/usr/local/lib/ballast/stop-programs';
/** As root of a user namespace with all ids of the learner's: the layers of containers belong to those. */
const countFiles =
  '/usr/bin/unshare --user --map-root-user --map-auto /usr/bin/du --inodes -scx /home/learner /tmp /var/tmp | tail -1';

const inWords = (bytes: number): string =>
  bytes < gigabyte ? `${(bytes / mebibyte).toFixed(0)} MB` : `${(bytes / gigabyte).toFixed(1)} GB`;

interface Measured {
  readonly session: Session;
  readonly sandbox: Sandbox;
  readonly bytes: number;
  readonly files: number;
  /** What it takes in parts of what it may take: the larger of bytes and files. */
  readonly share: number;
}

export interface DiskGuardOptions {
  readonly engine: Engine;
  readonly config: Pick<Config, 'sandbox' | 'disk'>;
  readonly sessions: () => Iterable<Session>;
  /** Ends a session's sandbox; its data stays unless `keepData` is false. */
  readonly halt: (session: Session, why: BallastError, options: { readonly keepData: boolean }) => Promise<void>;
  readonly logger: Logger;
}

/**
 * Keeps sandboxes from filling the disk. It looks at the free space often, which costs nothing, and asks the engine what
 * each sandbox takes when space has gone. A sandbox that takes too much (or grows while the host is short of space) has
 * its programs stopped: its learner is told, frees space and goes on. One that grows on all the same is ended.
 */
export class DiskGuard {
  readonly #options: DiskGuardOptions;
  /** Sandboxes whose programs were stopped, and what they took at the first look after: they wrote on until they ended. */
  readonly #stopped = new WeakMap<Sandbox, number | 'just now'>();
  readonly #last = new WeakMap<Sandbox, Measured>();
  readonly #end = new AbortController();
  #seen: DiskRoom | null = null;
  #lookAgain = true;
  #lookAfter = lookAfterAtMost;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
  }

  /** Guards until `stop` is called. Never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#end;
    const { config, logger, engine } = this.#options;
    const pause = (ms: number): Promise<unknown> => delay(ms, undefined, { signal, ref: false }).catch(() => undefined);
    while (!signal.aborted) {
      let rest = config.disk.checkSeconds * 1000;
      try {
        const room = await engine.diskRoom();
        if (this.#worthALook(room)) {
          const tookMs = await this.look(room);
          rest = Math.max(rest, tookMs * restAfterLook, room === null ? blindLookMs : 0);
        }
      } catch (error) {
        logger.warn({ err: error }, 'the disk could not be looked at');
      }
      await pause(rest);
    }
  }

  stop(): void {
    this.#end.abort();
  }

  #isShort(room: DiskRoom | null): boolean {
    if (room === null) return false;
    return room.freeBytes < this.#options.config.disk.reserveBytes || room.freeInodes < room.allInodes * filesReserve;
  }

  #worthALook(room: DiskRoom | null): boolean {
    if (room === null || this.#seen === null || this.#lookAgain || this.#isShort(room)) return true;
    // What was freed is there to be taken once more.
    const [bytes, files] = [this.#seen.freeBytes - room.freeBytes, this.#seen.freeInodes - room.freeInodes];
    this.#seen = {
      ...room,
      freeBytes: Math.max(room.freeBytes, this.#seen.freeBytes),
      freeInodes: Math.max(room.freeInodes, this.#seen.freeInodes),
    };
    return bytes > this.#lookAfter.bytes || files > this.#lookAfter.files;
  }

  /**
   * Measures every sandbox and does what has to be done.
   * @param room what is free now, if that is known
   * @returns how long measuring took, in ms
   */
  async look(room: DiskRoom | null): Promise<number> {
    const { engine, sessions } = this.#options;
    const began = performance.now();
    const manyFiles =
      room === null || this.#seen === null || this.#seen.freeInodes - room.freeInodes > this.#lookAfter.files;
    const use = await engine.diskUse();
    const measured: Measured[] = [];
    for (const session of sessions()) {
      const sandbox = sandboxOf(session);
      const bytes = sandbox === null ? undefined : use.sandboxes.get(sandbox.id);
      if (sandbox === null || bytes === undefined) continue;
      const files =
        manyFiles || this.#stopped.has(sandbox) ? await this.#files(sandbox) : (this.#last.get(sandbox)?.files ?? 0);
      const { diskBytes, diskFiles } = this.#options.config.sandbox;
      const share = Math.max(bytes / diskBytes, files / diskFiles);
      measured.push({ session, sandbox, bytes, files, share });
      if (this.#stopped.get(sandbox) === 'just now') this.#stopped.set(sandbox, share);
    }
    const tookMs = performance.now() - began;
    this.#seen = room;
    this.#lookAgain = false;
    this.#lookAfter = this.#patience(measured);
    const short = this.#isShort(room);
    for (const one of measured) await this.#judge(one, short);
    if (short) await this.#makeRoom(measured);
    for (const one of measured) this.#last.set(one.sandbox, one);
    return tookMs;
  }

  #patience(measured: readonly Measured[]): { readonly bytes: number; readonly files: number } {
    const { diskBytes, diskFiles } = this.#options.config.sandbox;
    const left = (limit: number, taken: readonly number[]): number =>
      Math.max(limit * leastHeadroom, limit - Math.max(0, ...taken));
    return {
      bytes: Math.min(
        lookAfterAtMost.bytes,
        left(
          diskBytes,
          measured.map(({ bytes }) => bytes),
        ),
      ),
      files: Math.min(
        lookAfterAtMost.files,
        left(
          diskFiles,
          measured.map(({ files }) => files),
        ),
      ),
    };
  }

  async #files({ shell, signal }: Sandbox): Promise<number> {
    const counted = await shell
      .run(['/bin/bash', '-c', countFiles], { timeoutMs: 20_000, signal })
      .catch(() => ({ stdout: '' }));
    return Number.parseInt(counted.stdout, 10) || 0;
  }

  async #judge(one: Measured, short: boolean): Promise<void> {
    const { share, sandbox, session } = one;
    const stoppedAt = this.#stopped.get(sandbox);
    if (share <= 1) {
      if (stoppedAt !== undefined && !short) {
        this.#stopped.delete(sandbox);
        session.publish({ type: 'notice', level: 'info', text: 'There is room again. Go on.' });
      }
      return;
    }
    this.#lookAgain = true;
    if (stoppedAt === undefined) await this.#stop(one, this.#words(one));
    else if (stoppedAt !== 'just now' && share > stoppedAt + defiance) await this.#halt(one, this.#words(one));
  }

  #words({ bytes, files }: Measured): string {
    const { diskBytes, diskFiles } = this.#options.config.sandbox;
    return files / diskFiles > bytes / diskBytes
      ? `This sandbox has ${files.toLocaleString('en')} files; ${diskFiles.toLocaleString('en')} are allowed.`
      : `This sandbox takes ${inWords(bytes)} of the disk; ${inWords(diskBytes)} are allowed.`;
  }

  /** The host runs out of space: the sandbox that grew most since the last look, if any did, has to wait. */
  async #makeRoom(measured: readonly Measured[]): Promise<void> {
    this.#lookAgain = true;
    const growth = (one: Measured): number => one.share - (this.#last.get(one.sandbox)?.share ?? one.share);
    const [most] = measured.filter(({ session }) => sandboxOf(session) !== null).sort((a, b) => growth(b) - growth(a));
    if (most === undefined || growth(most) * this.#options.config.sandbox.diskBytes < mebibyte) return;
    const words = "The workshop's disk is almost full, and this sandbox was filling it.";
    const stoppedAt = this.#stopped.get(most.sandbox);
    if (stoppedAt === undefined) await this.#stop(most, words);
    else if (stoppedAt !== 'just now' && most.share > stoppedAt) await this.#halt(most, words);
  }

  async #stop({ session, sandbox, bytes, files }: Measured, words: string): Promise<void> {
    this.#options.logger.warn({ session: session.id, bytes, files }, 'sandbox over its disk limit: programs stopped');
    this.#stopped.set(sandbox, 'just now');
    const text = `${words} Its programs, builds and containers were stopped. Free some space (rm, docker system prune), then go on.`;
    // What does not heed this is ended at the next look.
    await sandbox.shell.run([stopPrograms, text], { timeoutMs: 10_000, signal: sandbox.signal }).catch(() => undefined);
    // Told when it is done: what the learner starts to free space must not be stopped as well.
    session.publish({ type: 'notice', level: 'warning', text });
  }

  async #halt({ session, share, bytes, files }: Measured, words: string): Promise<void> {
    const keepData = share <= hopeless;
    this.#options.logger.error(
      { session: session.id, bytes, files, keepData },
      'sandbox ended: it goes on filling the disk',
    );
    const why = new BallastError('disk_full', {
      message: `${words} It went on growing and was ended.`,
      hint: keepData ? 'Restart the sandbox and free some space at once, or start over.' : 'Start over.',
    });
    await this.#options.halt(session, why, { keepData });
  }
}

/** A session's sandbox, if it can be used now. */
function sandboxOf(session: Session): Sandbox | null {
  try {
    return session.use();
  } catch {
    return null;
  }
}
