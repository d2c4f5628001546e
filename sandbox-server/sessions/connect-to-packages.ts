import type { Engine } from '../engines/engine.ts';
import type { Gateway } from '../gateway/index.ts';
import type { Session } from './session.ts';

/**
 * Lets a session's sandbox reach package registries, when its lab says so. Resolves when it can.
 * @throws BallastError sandbox_failed
 */
export async function connectToPackages(
  gateway: Gateway,
  engine: Engine,
  session: Session,
  sandboxId: string,
): Promise<void> {
  if (session.lab.network !== 'packages') return;
  if (!gateway.enabled) {
    session.warn('This lab fetches packages, but the package gateway of this server is switched off.');
    return;
  }
  await gateway.open(engine, sandboxId, {
    name: session.id,
    onRefused: (notice) => {
      session.warn(notice);
    },
  });
}
