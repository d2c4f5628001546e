import { z } from 'zod';

export const sessionId = z.string().regex(/^[a-z0-9]{20}$/, 'a session id is 20 characters of a-z and 0-9');
export const labId = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'a lab id is kebab-case')
  .max(64);
/** A terminal's name is also the name of its socket in the sandbox. */
export const terminalName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,19}$/, 'a terminal name is up to 20 of a-z, 0-9, "-"');

/** Where a base image came from: the official one, or our equivalent built from Debian packages. */
export const imageOrigin = z.enum(['official', 'equivalent', 'unknown']);
export type ImageOrigin = z.infer<typeof imageOrigin>;

export const health = z.object({
  status: z.enum(['ok', 'degraded']),
  version: z.string(),
  uptimeSeconds: z.number().nonnegative(),
  engine: z.object({ reachable: z.boolean(), version: z.string().nullable() }),
  sessions: z.number().int().nonnegative(),
});
export type Health = z.infer<typeof health>;

export const labCheckSummary = z.object({ id: z.string(), title: z.string(), points: z.number().int() });

export const labSummary = z.object({
  id: labId,
  title: z.string(),
  lesson: z.string(),
  summary: z.string(),
  difficulty: z.enum(['beginner', 'intermediate', 'advanced']),
  minutes: z.number().int().positive(),
  images: z.array(z.object({ ref: z.string(), origin: imageOrigin, sizeBytes: z.number().nonnegative().nullable() })),
  network: z.enum(['none', 'packages']),
  /** Whether a session can start now: every base image is in the store. */
  available: z.boolean(),
  /** What is not, and the command that obtains it. */
  missing: z.object({ images: z.array(z.string()), command: z.string() }).nullable(),
  checks: z.array(labCheckSummary),
});
export type LabSummary = z.infer<typeof labSummary>;
export const labList = z.object({ labs: z.array(labSummary) });

/** A sandbox can be used while the state is ready, idle or expiring. Clients must treat an unknown one as not ready. */
export const sessionState = z.enum(['queued', 'starting', 'ready', 'idle', 'expiring', 'closed', 'failed']);

export const createSession = z.strictObject({ lab: labId });

export const sessionView = z.object({
  id: sessionId,
  lab: labId,
  state: sessionState,
  /** What a starting session is doing, or what became of one that has ended, in words for the learner. */
  stage: z.string(),
  /** 0..1 while starting, 1 when ready. */
  progress: z.number().min(0).max(1),
  /** While the state is "queued": 1 is next; the wait is a guess, null when nothing tells. */
  queue: z
    .object({ position: z.number().int().positive(), waitSeconds: z.number().int().nonnegative().nullable() })
    .nullable(),
  createdAt: z.iso.datetime(),
  /** When it ends unless somebody does something. */
  expiresAt: z.iso.datetime(),
  /** It began with the files that were saved when this browser's last session of the lab ended. */
  restoredFiles: z.boolean(),
  terminals: z.array(terminalName),
  maxTerminals: z.number().int().positive(),
  /** Why it failed, when state is "failed". */
  failure: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
});
export type SessionView = z.infer<typeof sessionView>;

export const createdSession = sessionView.extend({ token: z.string() });

/** Body of POST .../reset: a new container around the same files, or the lab's own files again too. */
export const resetSession = z.strictObject({ files: z.enum(['keep', 'restore']) });
export type ResetSession = z.infer<typeof resetSession>;

export const fileEntry = z.object({
  /** Relative to the lab folder, "/" between parts. */
  path: z.string(),
  kind: z.enum(['file', 'directory', 'symlink']),
  sizeBytes: z.number().int().nonnegative(),
  modifiedAt: z.iso.datetime(),
});
export type FileEntry = z.infer<typeof fileEntry>;
export const fileList = z.object({
  files: z.array(fileEntry),
  /** True when there are more than the server lists. */
  truncated: z.boolean(),
});

export const runChecks = z.strictObject({ ids: z.array(z.string().max(64)).max(100).optional() });

export const imageView = z.object({
  ref: z.string(),
  digest: z.string(),
  sizeBytes: z.number().int().nonnegative(),
  createdAt: z.string(),
  base: z.boolean(),
  origin: imageOrigin,
});
export const imageList = z.object({ images: z.array(imageView) });
export type ImageView = z.infer<typeof imageView>;

/** Largest file the files API reads or writes, in bytes. */
export const maxFileBytes = 1024 * 1024;
/**
 * Header with the version of a file. Bodies are the raw bytes: GET gives it, PUT answers 204 with the new one,
 * DELETE answers 204. Send it back as If-Match to not overwrite a newer one; `If-None-Match: *` makes a new file only.
 */
export const fileVersionHeader = 'etag';

const size = z.number().int().nonnegative();
const sized = z.object({ path: z.string(), sizeBytes: size });

/** An image opened up. Paths are without a leading slash; lists are cut, the totals are not. */
export const imageXray = z.object({
  ref: z.string(),
  digest: z.string(),
  /** Uncompressed bytes of the files in all layers. */
  sizeBytes: size,
  /** Bytes in files that are in several layers, or that a later layer deletes. */
  wastedBytes: size,
  config: z.object({
    user: z.string(),
    entrypoint: z.array(z.string()),
    cmd: z.array(z.string()),
    workingDir: z.string(),
    /** Names alone: values may be secrets. */
    env: z.array(z.string()),
    exposedPorts: z.array(z.string()),
    labels: z.record(z.string(), z.string()),
    healthcheck: z.boolean(),
    architecture: z.string(),
  }),
  layers: z.array(
    z.object({
      digest: z.string(),
      /** The instruction that made it, from the history. */
      createdBy: z.string(),
      sizeBytes: size,
      files: size,
      /** Files and folders of lower layers that it deletes. */
      deletes: size,
      /** Bytes of its files that a later layer deletes or replaces: shipped, and never seen. */
      hiddenBytes: size,
      /** Packages that it brings: those that a layer below lists in the same file, in the same version, do not count. */
      packages: size,
      largestFolders: z.array(sized),
      largestFiles: z.array(sized),
    }),
  ),
  /** As a container sees them. */
  packages: z.object({
    total: size,
    list: z.array(
      z.object({
        system: z.enum(['dpkg', 'apk', 'go', 'python', 'npm']),
        name: z.string(),
        version: z.string(),
        path: z.string(),
      }),
    ),
  }),
  /** Programs of use to somebody who has broken in, as a container sees them; `linkage` counts all ELF files. */
  executables: z.object({
    total: size,
    linkage: z.object({ static: size, dynamic: size, unknown: size }),
    list: z.array(
      sized.extend({
        kind: z.enum(['shell', 'package-manager', 'compiler', 'interpreter', 'network-tool', 'setuid']),
        layer: size,
      }),
    ),
  }),
  /** Where the secrets that the lab plants were found; never the secrets themselves. */
  secrets: z.array(
    z.object({
      where: z.enum(['layer', 'config', 'history']),
      /** Index of the layer or of the step in the history. */
      index: size,
      /** Path in the layer, "" elsewhere. */
      path: z.string(),
      hidden: z.boolean(),
    }),
  ),
});
export type ImageXray = z.infer<typeof imageXray>;
