import type { Engine, SandboxKind, SandboxRecord } from '../engines/engine.ts';

/** What is made for one piece of work, and is tied to its process by a lease. */
const kinds: readonly SandboxKind[] = ['grader', 'exporter', 'importer'];
/** One that is being made does not run yet. */
const startingMs = 10_000;
/** Nothing of this takes so long: its process was killed before it held a lease. */
const longestMs = 24 * 3_600_000;

const hasEnded = ({ running, createdAt }: SandboxRecord): boolean => {
  const age = Date.now() - createdAt.getTime();
  return running ? age > longestMs : age > startingMs;
};

/**
 * Removes what was left of graders, exports and imports of this server whose process was killed: without it they stop by
 * themselves (see `holdLease`). Those that are at work, in this process or another, stay.
 * @throws BallastError when the engine refuses; what could be removed has been
 */
export async function reapEnded(engine: Engine, hostId: string): Promise<void> {
  const failures: unknown[] = [];
  for (const kind of kinds) {
    const labels = { 'ballast.host': hostId, 'ballast.kind': kind };
    // Volumes first: one that comes later may have its container yet to come.
    const volumes = await engine.listVolumes(labels);
    const owned = new Set<string>();
    for (const sandbox of await engine.listSandboxes(labels)) {
      if (!hasEnded(sandbox)) {
        owned.add(sandbox.session);
        continue;
      }
      await engine.removeSandbox(sandbox.id).catch((error: unknown) => failures.push(error));
    }
    for (const volume of volumes) {
      const session = (await engine.volumeLabels(volume))?.['ballast.session'];
      // The engine refuses where a container has it by now.
      if (session !== undefined && !owned.has(session)) await engine.removeVolume(volume).catch(() => undefined);
    }
  }
  if (failures.length > 0) throw failures[0];
}
