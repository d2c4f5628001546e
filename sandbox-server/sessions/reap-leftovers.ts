import type { Logger } from 'pino';
import type { Engine } from '../engines/engine.ts';

/**
 * Removes sandboxes and data volumes of this server that belong to nobody, found by label alone.
 * @param options.keep whether the things of a berth must stay
 * @param options.only look at one berth alone
 * @throws BallastError when the engine refuses; what could be removed has been
 */
export async function reapLeftovers(
  engine: Engine,
  hostId: string,
  {
    keep,
    only,
    logger,
  }: { readonly keep: (berth: string) => boolean; readonly only?: string; readonly logger: Logger },
): Promise<void> {
  const labels = {
    'ballast.host': hostId,
    'ballast.kind': 'sandbox',
    ...(only === undefined ? {} : { 'ballast.session': only }),
  };
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
    const berth = (await engine.volumeLabels(volume))?.['ballast.session'];
    if (berth === undefined || keep(berth)) continue;
    try {
      await engine.removeVolume(volume);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
