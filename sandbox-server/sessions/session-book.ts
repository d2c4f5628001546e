import type { Logger } from 'pino';
import { BallastError } from '../protocol/index.ts';
import type { SessionRecord, SessionStore } from '../store/session-store.ts';
import { tokenMatches } from './credentials.ts';
import { isLive } from './session-status.ts';
import type { Session } from './session.ts';

/** The sessions of a server, in memory and written down, so that the next server finds them. */
export class SessionBook {
  readonly #store: SessionStore;
  readonly #logger: Logger;
  readonly #sessions = new Map<string, Session>();
  readonly #unsaved = new Set<Session>();
  #closed = false;

  constructor(store: SessionStore, logger: Logger) {
    this.#store = store;
    this.#logger = logger;
  }

  get all(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** Sessions that hold a sandbox or are getting one. */
  get active(): number {
    return [...this.#sessions.values()].filter(({ status }) => status.kind === 'starting' || isLive(status)).length;
  }

  /** What the server before this one wrote down. */
  records(): readonly SessionRecord[] {
    return this.#store.list();
  }

  /** Writes a record down at once. @throws BallastError disk_full */
  write(record: SessionRecord): void {
    this.#store.save(record);
  }

  /** Takes a record out that no session was made of. */
  drop(id: string): void {
    this.#store.remove(id);
  }

  add(session: Session): void {
    this.#sessions.set(session.id, session);
  }

  /** @throws BallastError session_not_found, or unauthorized when the token is not that session's */
  authenticate(id: string, token: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined || session.status.kind === 'closed') throw new BallastError('session_not_found');
    if (!tokenMatches(token, session.tokenHash)) throw new BallastError('unauthorized');
    return session;
  }

  /** Whether a session's sandbox or data carry that name. */
  hasBerth(berth: string): boolean {
    return [...this.#sessions.values()].some((session) => session.berth === berth);
  }

  /** Writes the session down; what cannot be written now is written later: the session goes on meanwhile. */
  save(session: Session): void {
    if (this.#closed || session.status.kind === 'closed') return;
    try {
      this.write(session.record());
      this.#unsaved.delete(session);
    } catch (error) {
      this.#unsaved.add(session);
      this.#logger.error({ err: error, session: session.id }, 'a session could not be written down');
    }
  }

  /** Tries again to write down what could not be. */
  saveAgain(): void {
    for (const session of [...this.#unsaved]) this.save(session);
  }

  /** The next server shall not know of the session; its berth is still its own. */
  strike(session: Session): void {
    this.#unsaved.delete(session);
    try {
      this.drop(session.id);
    } catch (error) {
      // The next server finds that nothing is left of it.
      this.#logger.error(
        { err: error, session: session.id },
        'an ended session could not be taken out of the database',
      );
    }
  }

  /** Nothing is left of the session. */
  forget(session: Session): void {
    this.#sessions.delete(session.id);
  }

  /** Nothing is written from now on: the database belongs to the next server. */
  close(): void {
    this.#closed = true;
  }
}
