import { statfs } from 'node:fs/promises';
import { z } from 'zod';
import type { DiskRoom, DiskUse } from '../engine.ts';
import { homeMountPoint } from './sandbox-options.ts';

/** The part of `GET /system/df` that is of use here. */
const diskShape = z.object({
  Containers: z
    .array(
      z.object({
        Id: z.string(),
        Labels: z.record(z.string(), z.string()).nullish(),
        SizeRw: z.number().optional(),
        Mounts: z.array(z.object({ Name: z.string().optional(), Destination: z.string() })).nullish(),
      }),
    )
    .nullish(),
  Volumes: z.array(z.object({ Name: z.string(), UsageData: z.object({ Size: z.number() }).nullish() })).nullish(),
});

/** Reads the engine's account of its disk. A size that it does not know (-1) counts as none. */
export function toDiskUse(answer: unknown): DiskUse {
  const { Containers, Volumes } = diskShape.parse(answer);
  const volumes = new Map(Volumes?.map(({ Name, UsageData }) => [Name, Math.max(0, UsageData?.Size ?? 0)]));
  const sandboxes = new Map<string, number>();
  for (const { Id, Labels, SizeRw, Mounts } of Containers ?? []) {
    if (Labels?.['ballast.session'] === undefined) continue;
    const home = Mounts?.find(({ Destination }) => Destination === homeMountPoint)?.Name;
    sandboxes.set(Id, Math.max(0, SizeRw ?? 0) + (home === undefined ? 0 : (volumes.get(home) ?? 0)));
  }
  return { sandboxes };
}

/** Room where this folder is; null when it is not on this machine. */
export async function diskRoomOf(folder: string): Promise<DiskRoom | null> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(folder);
    return { freeBytes: bavail * bsize, freeInodes: ffree, allInodes: files };
  } catch {
    return null;
  }
}
