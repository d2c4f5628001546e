import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';

/**
 * Removes sandboxes and data volumes of this server that belong to no session, found by label alone.
 * @param keep whether a session's things must stay
 * @throws BallastError when the engine refuses; what could be removed has been
 */
export async function reapLeftovers(
  engine: Engine,
  hostId: string,
  { keep, logger }: { readonly keep: (session: string) => boolean; readonly logger: Logger },
): Promise<void> {
  const labels = { 'ballast.host': hostId, 'ballast.kind': 'sandbox' };
  const failures: unknown[] = [];
  for (const sandbox of await engine.listSandboxes(labels)) {
    if (keep(sandbox.session)) continue;
    try {
      await engine.removeSandbox(sandbox.id);
      logger.info({ session: sandbox.session }, 'sandbox removed');
    } catch (error) {
      failures.push(error);
    }
  }
  // A volume outlives its container when the server was killed between the two.
  for (const volume of await engine.listVolumes(labels)) {
    const session = (await engine.volumeLabels(volume))?.['ballast.session'];
    if (session === undefined || keep(session)) continue;
    try {
      await engine.removeVolume(volume);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
