import type { Logger } from 'pino';
import type { Engine, SandboxRecord } from '../engines/engine.ts';
import type { Lab } from '../labs/index.ts';
import type { SessionRecord } from '../store/session-store.ts';
import type { LaunchOptions } from './launch-sandbox.ts';
import type { SessionBook } from './session-book.ts';
import type { Session } from './session.ts';
import { refreshTerminals } from './terminals.ts';

export interface TakeUpOptions {
  readonly engine: Engine;
  readonly book: SessionBook;
  readonly labs: ReadonlyMap<string, Lab>;
  readonly hostId: string;
  readonly logger: Logger;
  /** Makes the session of a record. */
  add(record: SessionRecord, lab: Lab): Session;
  /** It was waiting for its turn, and does so again. */
  queue(session: Session): void;
  /** Its sandbox runs. */
  ready(session: Session, sandboxId: string): void;
  /** It needs a new sandbox around what is there of it. */
  launch(session: Session, options: LaunchOptions): void;
  /** It had failed and still has. */
  failed(session: Session): void;
}

/**
 * Goes on where a server before this one stopped: sessions whose sandbox runs are taken up, those whose sandbox has
 * stopped get a new one around their files, starts that were cut off begin again.
 * @throws BallastError when the engine does not answer
 */
export async function takeUpSessions(options: TakeUpOptions): Promise<void> {
  const { engine, book, hostId } = options;
  const found = await engine.listSandboxes({ 'ballast.host': hostId, 'ballast.kind': 'sandbox' });
  const sandboxes = new Map(found.map((sandbox) => [sandbox.session, sandbox]));
  for (const record of book.records()) await takeUp(record, sandboxes.get(record.berth), options);
}

async function takeUp(
  record: SessionRecord,
  sandbox: SandboxRecord | undefined,
  options: TakeUpOptions,
): Promise<void> {
  const { engine, book, labs, hostId, logger } = options;
  const lab = labs.get(record.lab);
  const labels = { 'ballast.host': hostId, 'ballast.session': record.berth };
  const hasFiles = sandbox !== undefined || (await engine.listVolumes(labels)).length > 0;
  if (lab === undefined || (record.state === 'ready' && !hasFiles)) {
    book.drop(record.id);
    logger.info({ session: record.id }, 'session could not be taken up');
    return;
  }
  const session = options.add(record, lab);
  if (record.state === 'queued') {
    options.queue(session);
  } else if (record.state === 'ready' && sandbox?.running === true && sandbox.id === record.sandboxId) {
    options.ready(session, sandbox.id);
    await refreshTerminals(session).catch((error: unknown) => {
      logger.warn({ err: error, session: session.id }, 'terminals not listed');
    });
    logger.info({ session: session.id }, 'session taken up');
  } else if (record.state !== 'failed') {
    // It may have been a reset that was cut off, or the engine was restarted: what is there is the learner's work.
    options.launch(session, { keepData: true, ...(sandbox === undefined ? {} : { replace: sandbox.id }) });
    logger.info({ session: session.id }, 'session gets a new sandbox around its files');
  } else {
    options.failed(session);
  }
}
