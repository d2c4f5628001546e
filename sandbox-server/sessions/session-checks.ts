import type { Logger } from 'pino';
import { runChecks, type RunChecksOptions } from '../checks/index.ts';
import { BallastError, type LabResult } from '../protocol/index.ts';
import type { Session } from './session.ts';

/**
 * Runs a session's checks, all or those named, and tells whoever watches as it goes. It goes on when the caller has
 * gone: the page that comes back shows the rest.
 * @throws BallastError session_not_ready, checks_running, bad_request for an id that the lab has not
 */
export async function runSessionChecks(
  session: Session,
  ids: readonly string[] | undefined,
  { kinds, logger }: { readonly kinds: RunChecksOptions['kinds']; readonly logger: Logger },
): Promise<LabResult> {
  const sandbox = session.use();
  const unknown = ids?.filter((id) => !session.lab.checks.some((check) => check.id === id)) ?? [];
  if (unknown.length > 0) {
    throw new BallastError('bad_request', {
      message: `This lab has no check ${JSON.stringify(unknown[0])}.`,
      hint: 'GET /api/labs lists the checks of each lab.',
    });
  }
  if (session.checking) throw new BallastError('checks_running');
  session.checking = true;
  try {
    const context = { shell: sandbox.shell, images: sandbox.images, labDir: sandbox.labDir, mode: 'live' } as const;
    const result = await runChecks(session.lab, context, {
      kinds,
      signal: sandbox.signal,
      ...(ids === undefined ? {} : { ids }),
      onStart: (order) => {
        session.publish({ type: 'checks-started', ids: [...order] });
      },
      onResult: (check) => {
        session.publish({ type: 'check', result: check });
      },
      onError: (id, error, errorId) => {
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
