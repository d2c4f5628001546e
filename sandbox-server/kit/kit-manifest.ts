import { z } from 'zod';
import { KitError, readKit, type KitFile } from '../../bin/kit-file.mjs';
import { storeManifest } from '../base-images/manifest.ts';
import { BallastError } from '../protocol/index.ts';

const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** kit.json: what a kit holds and which project, engine and machine it is for. */
export const kitManifest = z.object({
  /** Version of Ballast. */
  ballast: z.string().max(100),
  createdAt: z.iso.datetime(),
  /** Of the engine, as Docker spells it. */
  architecture: z.string().max(100),
  dependencies: z.object({
    /** As Node spells them: "linux x64". */
    machine: z.string().max(100),
    /** Of the lock file and the machine; see bin/with-deps.mjs. */
    digest,
  }),
  /** Reference of the sandbox image; its tag is a hash of its sources. */
  sandboxImage: z.string().max(200),
  store: z.object({
    /** Hash of all in the project that decides what is in the store. */
    recipe: z.string().regex(/^[0-9a-f]{1,64}$/),
    manifest: storeManifest,
  }),
  /** Of the files that the site was built from. */
  site: digest,
  parts: z.array(
    z.object({
      name: z.string(),
      /** Bytes in the kit. */
      size: z.number().int().positive(),
      sha256: digest,
      /** Bytes before they were compressed, and about what they take on the disk. */
      unpackedBytes: z.number().int().positive(),
    }),
  ),
});
export type KitManifest = z.infer<typeof kitManifest>;

export interface OpenedKit extends KitFile {
  readonly manifest: KitManifest;
}

/** Errors of kit-file.mjs, and of the file system on a kit's file, as Ballast's own. */
export function toKitError(cause: unknown, file: string): unknown {
  if (cause instanceof KitError)
    return new BallastError(cause.code, { message: cause.message, hint: cause.hint, cause });
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return new BallastError('disk_full', { message: `There is no room for ${file} (${code}).`, cause });
  const plain: Readonly<Record<string, string>> = {
    ENOENT: 'There is no such file or folder.',
    EISDIR: 'It is a folder.',
    EACCES: 'No permission.',
    EROFS: 'The file system is read-only.',
    ENOTDIR: 'A part of its path is not a folder.',
  };
  const said = plain[code ?? ''];
  return said === undefined
    ? cause
    : new BallastError('bad_request', { message: `${file}: ${said}`, hint: 'Name another file.', cause });
}

/**
 * Read what a kit says of itself; its parts are not read.
 * @throws BallastError kit_invalid, kit_damaged, kit_mismatch, bad_request
 */
export async function openKit(file: string): Promise<OpenedKit> {
  try {
    const kit = await readKit(file);
    const parsed = kitManifest.safeParse(kit.manifest);
    if (parsed.success) return { ...kit, manifest: parsed.data };
    throw new KitError(
      'kit_mismatch',
      `${file} describes itself in a way that this version of Ballast does not know.`,
      'Use the version of Ballast that exported it, or export it again with this one.',
    );
  } catch (error) {
    throw toKitError(error, file);
  }
}
