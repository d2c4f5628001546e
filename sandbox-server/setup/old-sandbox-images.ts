import type { Engine } from '../engines/engine.ts';

const dayMs = 24 * 3600 * 1000;

/**
 * Remove sandbox images of versions that nobody uses any more. All servers of an engine share them, so each notes in the
 * engine that it uses its own, with every set-up and here; one that has not been noted for a day, and that no container
 * of anybody was made of, goes. Where the engine does not say when, all stay.
 * @param options.current the server's own, which is noted.
 * @param options.unusedMs since the last note.
 * @throws BallastError of the engine, but not where an image is in use.
 */
export async function removeOldSandboxImages(
  engine: Engine,
  { current, unusedMs = dayMs }: { readonly current: string; readonly unusedMs?: number },
): Promise<void> {
  await engine.tagImage(current, current);
  const images = await engine.listImages({ 'ballast.kind': 'sandbox-image' });
  // The engine's own clock: it may be another machine's.
  const now = images.find(({ ref }) => ref === current)?.lastTagged?.getTime();
  if (now === undefined) return;
  for (const { ref, lastTagged } of images) {
    if (lastTagged !== null && now - lastTagged.getTime() > unusedMs)
      await engine.removeImage(ref).catch(() => undefined);
  }
}
