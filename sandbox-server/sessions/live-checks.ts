import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { judgingImages, runChecks, type RunChecksOptions, type Verdict } from '../checks/index.ts';
import { BallastError, type CheckResult, type LabResult } from '../protocol/index.ts';
import type { Sandbox, Session } from './session.ts';

/** Checks of sessions: asked for, and again by themselves whenever an image changes. */
export interface LiveChecks {
  /**
   * Runs a session's checks, all or those named, and tells whoever watches as it goes. It goes on when the caller has
   * gone: the page that comes back shows the rest. A run that came by itself makes way.
   * @throws BallastError session_not_ready, checks_running, bad_request for an id that the lab has not
   */
  run(session: Session, ids: readonly string[] | undefined): Promise<LabResult>;
  /**
   * An image may have changed: what has been judged before is judged again, so that what breaks again goes red again.
   * Resolves when that is done, or was not needed. Never rejects.
   */
  imagesChanged(session: Session): Promise<void>;
}

/** What is known of the checks of one sandbox. */
interface Standing {
  /** Verdicts that hold until what they were judged by changes. */
  readonly remembered: Map<string, Verdict>;
  /** Checks that have been asked for. */
  readonly judged: Set<string>;
  /** The images as they were when the last run began. */
  images: string;
  /** The run that goes on by itself. */
  automatic: { readonly stop: AbortController; readonly ended: Promise<void> } | null;
  /** An image may have changed during a run. */
  changed: boolean;
}

/** Most checks wait for the sandbox's engine, and this many keep two cores busy. */
const concurrency = 3;

class MadeWay extends Error {}

export function createLiveChecks(options: {
  readonly kinds: RunChecksOptions['kinds'];
  readonly logger: Logger;
  /** Told the status of each check as it is judged, for the metrics; in runs that come by themselves too. */
  readonly onCheck: (status: CheckResult['status']) => void;
}): LiveChecks {
  const { kinds, logger, onCheck } = options;
  const standings = new WeakMap<Sandbox, Standing>();
  const standingOf = (sandbox: Sandbox): Standing => {
    const known = standings.get(sandbox);
    if (known !== undefined) return known;
    const fresh: Standing = { remembered: new Map(), judged: new Set(), images: '', automatic: null, changed: false };
    standings.set(sandbox, fresh);
    return fresh;
  };

  async function judge(session: Session, ids: readonly string[] | undefined, signal: AbortSignal): Promise<LabResult> {
    const sandbox = session.use();
    const standing = standingOf(sandbox);
    session.checking = true;
    standing.changed = false;
    try {
      standing.images = await imagesNow(sandbox, signal);
      const { shell, labDir } = sandbox;
      const images = judgingImages(sandbox.images, session.lab.images);
      const { remembered } = standing;
      const context = { shell, images, labDir, mode: 'live', remembered } as const;
      const result = await runChecks(session.lab, context, {
        kinds,
        signal,
        concurrency,
        ...(ids === undefined ? {} : { ids }),
        onStart: (order) => {
          session.publish({ type: 'checks-started', ids: [...order] });
        },
        onResult: (check) => {
          standing.judged.add(check.id);
          onCheck(check.status);
          session.publish({ type: 'check', result: check });
        },
        onError: (id, error, errorId) => {
          if (signal.aborted) return;
          logger.warn(
            { err: error, session: session.id, lab: session.lab.id, check: id, errorId },
            'a check could not be done',
          );
        },
      });
      session.publish({ type: 'checks-done', result });
      return result;
    } finally {
      session.checking = false;
    }
  }

  async function imagesChanged(session: Session): Promise<void> {
    try {
      const sandbox = session.use();
      const standing = standingOf(sandbox);
      if (session.checking) {
        standing.changed = true;
        return;
      }
      if (standing.judged.size === 0) return;
      if ((await imagesNow(sandbox, sandbox.signal)) === standing.images) return;
      // A run may have begun in the meantime; it has seen the change, or hears of it.
      if (isChecking(session)) return;
      const stop = new AbortController();
      const running = judge(session, [...standing.judged], AbortSignal.any([sandbox.signal, stop.signal]));
      const automatic = { stop, ended: running.then(nothing, nothing) };
      standing.automatic = automatic;
      try {
        await running;
      } finally {
        standing.automatic = null;
      }
      again(session, standing);
    } catch (error) {
      if (error instanceof MadeWay || error instanceof BallastError) return;
      logger.warn({ err: error, session: session.id }, 'checks not run again');
    }
  }

  function again(session: Session, standing: Standing): void {
    if (standing.changed) void imagesChanged(session);
  }

  return {
    async run(session, ids) {
      const unknown = ids?.find((id) => !session.lab.checks.some((check) => check.id === id));
      if (unknown !== undefined) {
        throw new BallastError('bad_request', {
          message: `This lab has no check ${JSON.stringify(unknown)}.`,
          hint: 'GET /api/labs lists the checks of each lab.',
        });
      }
      const sandbox = session.use();
      const standing = standingOf(sandbox);
      standing.automatic?.stop.abort(new MadeWay());
      await standing.automatic?.ended;
      if (session.checking) throw new BallastError('checks_running');
      const result = await judge(session, ids, sandbox.signal);
      again(session, standing);
      return result;
    },
    imagesChanged,
  };
}

/** Asked anew: the compiler takes an answer from before a wait for granted. */
const isChecking = (session: Session): boolean => session.checking;

const nothing = (): void => undefined;

/** All images with their names, and when they got them: a build that changes nothing gives the name anew as well. */
const script = `
ids=$(/usr/bin/docker image ls --quiet --no-trunc | sort -u) || exit 1
[ -n "$ids" ] || exit 0
/usr/bin/docker image inspect --format '{{.Id}} {{json .RepoTags}} {{json .Metadata.LastTagTime}}' $ids
`;

/** A fingerprint of the images of a sandbox; empty when its engine does not answer, which the checks will say. */
async function imagesNow(sandbox: Sandbox, signal: AbortSignal): Promise<string> {
  const answer = await sandbox.shell.run(['/bin/bash', '-c', script], { timeoutMs: 20_000, signal });
  return answer.exitCode === 0 ? createHash('sha256').update(answer.stdout).digest('hex') : '';
}
