import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';
import { checkFilePath } from './file-path.ts';
import { followLines } from './follow-lines.ts';
import { listImages, type BaseImage } from './list-images.ts';
import type { Sandbox, Session } from './session.ts';

const debounceMs = 150;
/** More changes than this at once say nothing singly: the client lists again. */
const maxPaths = 100;
/** How long the watchers outlive the last viewer: a reload of the page comes back within it. */
const lingerMs = 5000;

const dockerEvents = ['/usr/bin/docker', 'events', '--filter', 'type=image', '--format', '{{.Action}}'] as const;

/** Calls `action` once, `debounceMs` after the first of a burst of calls. */
function debounced(action: () => void): { call: () => void; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  return {
    call() {
      timer ??= setTimeout(() => {
        timer = undefined;
        action();
      }, debounceMs);
    },
    cancel() {
      clearTimeout(timer);
    },
  };
}

/** The path that a line of ballast-watch names; null when the API could not address it. */
export function changedPath(line: string): string | null {
  try {
    const value: unknown = line.startsWith('"') ? JSON.parse(line) : line;
    return typeof value === 'string' ? checkFilePath(value.replace(/\/$/, '')) : null;
  } catch {
    return null;
  }
}

function watchFiles(session: Session): { onLine: (line: string) => void; cancel: () => void } {
  let paths = new Set<string>();
  let unknown = false;
  const tell = debounced(() => {
    const listAgain = unknown || paths.size > maxPaths;
    session.publish({ type: 'files', paths: listAgain ? [] : [...paths].sort() });
    paths = new Set();
    unknown = false;
  });
  return {
    onLine(line) {
      const path = changedPath(line);
      if (path === null) unknown = true;
      else if (paths.size <= maxPaths) paths.add(path);
      tell.call();
    },
    cancel: tell.cancel,
  };
}

export interface WatchOptions {
  readonly engine: Engine;
  readonly baseImages: () => readonly BaseImage[];
  readonly logger: Logger;
  /** Called when images may have changed, while somebody watches. */
  readonly onImages?: (session: Session) => void;
}

/** The images of a sandbox, told to all who watch the session. Failures are logged: the next change tells again. */
export async function publishImages(session: Session, sandbox: Sandbox, options: WatchOptions): Promise<void> {
  try {
    const images = await listImages(sandbox.shell, options.baseImages(), sandbox.signal);
    session.publish({ type: 'images', images });
  } catch (error) {
    if (!sandbox.signal.aborted) options.logger.warn({ err: error, session: session.id }, 'images not listed');
  }
}

/**
 * Watches files and images of a session's sandbox, one program each however many viewers there are, for as long as
 * somebody listens. Call it when the first listener comes.
 */
export function createSandboxWatcher(options: WatchOptions): (session: Session) => void {
  const { engine, logger } = options;
  const watching = new WeakSet<Sandbox>();

  return (session) => {
    const sandbox = session.use();
    if (watching.has(sandbox)) return;
    watching.add(sandbox);

    const unwatched = new AbortController();
    const signal = AbortSignal.any([sandbox.signal, unwatched.signal]);
    let idleSince: number | null = null;
    const idleCheck = setInterval(() => {
      if (session.watched) {
        idleSince = null;
      } else {
        idleSince ??= performance.now();
        if (performance.now() - idleSince >= lingerMs) {
          watching.delete(sandbox);
          unwatched.abort();
        }
      }
    }, lingerMs / 5);
    idleCheck.unref();

    const files = watchFiles(session);
    const images = debounced(() => {
      void publishImages(session, sandbox, options);
      options.onImages?.(session);
    });
    signal.addEventListener(
      'abort',
      () => {
        clearInterval(idleCheck);
        files.cancel();
        images.cancel();
      },
      { once: true },
    );
    const onFailure = (error: unknown): void => {
      if (!signal.aborted) logger.warn({ err: error, session: session.id }, 'watching the sandbox failed');
    };
    const watch = ['/usr/local/bin/ballast-watch', sandbox.labDir];
    void followLines(engine, sandbox.id, watch, { signal, user: 'watcher', onLine: files.onLine, onFailure });
    void followLines(engine, sandbox.id, dockerEvents, { signal, onLine: images.call, onFailure });
    // What changed while nobody watched is looked at now.
    images.call();
  };
}
