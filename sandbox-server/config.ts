import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { imagesPolicy, registriesSchema } from './base-images/registry-settings.ts';
import { gatewaySchema } from './gateway/settings.ts';
import { BallastError } from './protocol/index.ts';

const mebibyte = 1024 * 1024;

/** Every setting of Ballast, with its default. The file (ballast.yaml) overrides it, the environment overrides both. */
export const configSchema = z.strictObject({
  /** Address to listen on; anything but loopback shows the workshop to the network. */
  host: z.string().default('127.0.0.1'),
  port: z.coerce.number().int().min(0).max(65535).default(4321),
  /** Further origins that may use the API, e.g. "https://workshop.example". */
  origins: z.array(z.url()).default([]),
  /** Folder for the database, logs and caches. */
  home: z.string().default(join(process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'ballast')),
  logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** PEM file with further certificate authorities, where the network inspects TLS. */
  extraCa: z.string().optional(),
  /** Whether base images are pulled, built from Debian packages, or pulled where that is possible. */
  images: imagesPolicy,
  /** Mirrors of image registries and credentials for them. */
  registries: registriesSchema,
  /** The way to package registries, for labs with `network: packages`. */
  gateway: gatewaySchema,
  grading: z
    .strictObject({
      /** Secret that POST /api/grade asks for; without one, it grades nothing. */
      token: z.string().min(16, 'a grader token has at least 16 characters').optional(),
      /** Submissions graded at the same time. */
      jobs: z.coerce.number().int().positive().default(1),
      /** Submissions that may wait for their turn; each of them is kept in memory, 20 MiB at most. */
      queue: z.coerce.number().int().nonnegative().default(20),
      /** Longest time for one submission, in seconds. */
      seconds: z.coerce.number().positive().default(600),
    })
    .prefault({}),
  session: z
    .strictObject({
      /** Life of a session, in minutes. */
      minutes: z.coerce.number().int().positive().default(120),
      /** Longest life of a session that is extended again and again, in minutes. */
      maxMinutes: z.coerce.number().int().positive().default(480),
      /** A session that is left alone for so long ends, in minutes. */
      idleMinutes: z.coerce.number().positive().default(60),
      /** Most bytes of a learner's files that are kept when a session's time is up; 0 keeps none. */
      keptBytes: z.coerce
        .number()
        .int()
        .min(0)
        .default(32 * mebibyte),
      /** How long they are kept, in days. */
      keptDays: z.coerce.number().positive().default(30),
      /** Sessions that one address may start in a minute; a class behind one router is one address. */
      startsPerMinute: z.coerce.number().int().positive().default(60),
      /** Most sessions with a sandbox at once; further ones wait for their turn. */
      max: z.coerce.number().int().positive().default(20),
      /** Most sessions that wait; further ones are refused. */
      queue: z.coerce.number().int().min(0).default(100),
    })
    .prefault({}),
  sandbox: z
    .strictObject({
      memoryBytes: z.coerce
        .number()
        .int()
        .min(256 * mebibyte)
        .default(2048 * mebibyte),
      cpus: z.coerce.number().positive().default(2),
      pids: z.coerce.number().int().min(64).default(1024),
      /** What a sandbox may take of the disk; over it, its programs are stopped until space is freed. */
      diskBytes: z.coerce
        .number()
        .int()
        .min(64 * mebibyte)
        .default(8192 * mebibyte),
      /** The same for the number of files. */
      diskFiles: z.coerce.number().int().min(10_000).default(1_000_000),
      /** Longest wait for a sandbox to become ready, in seconds. */
      startSeconds: z.coerce.number().positive().default(60),
    })
    .prefault({}),
  pool: z
    .strictObject({
      /** Sandboxes that are ready before anybody asks; each costs its idle memory. 0 switches the pool off. */
      size: z.coerce.number().int().min(0).max(100).default(1),
      /** The pool is filled only while fewer programs than this want each core (mean of a minute). */
      maxLoadPerCore: z.coerce.number().positive().default(1),
    })
    .prefault({}),
  /** When a new session gets a sandbox at once; else it waits for its turn, or is refused. */
  admission: z
    .strictObject({
      sandboxMemoryBytes: z.coerce
        .number()
        .int()
        .min(0)
        .default(256 * mebibyte),
      memoryReserveBytes: z.coerce
        .number()
        .int()
        .min(0)
        .default(512 * mebibyte),
      sandboxDiskBytes: z.coerce
        .number()
        .int()
        .min(0)
        .default(128 * mebibyte),
      maxLoadPerCore: z.coerce.number().positive().default(16),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      /** Who sends it as a bearer token may read /metrics from elsewhere; without it, only this machine may. */
      token: z.string().min(16).optional(),
    })
    .prefault({}),
  disk: z
    .strictObject({
      /** Sandboxes that grow are stopped when less than this is free on the engine's disk. */
      reserveBytes: z.coerce
        .number()
        .int()
        .min(0)
        .default(4096 * mebibyte),
      /** How often to look at the engine's free space, in seconds. */
      checkSeconds: z.coerce.number().positive().default(1),
    })
    .prefault({}),
});
export type Config = z.infer<typeof configSchema>;

/** Environment variable to setting. The design names BALLAST_EXTRA_CA; the others follow it. */
const environmentNames: Readonly<Record<string, readonly string[]>> = {
  BALLAST_HOST: ['host'],
  BALLAST_PORT: ['port'],
  BALLAST_HOME: ['home'],
  BALLAST_LOG_LEVEL: ['logLevel'],
  BALLAST_EXTRA_CA: ['extraCa'],
  BALLAST_IMAGES: ['images'],
  BALLAST_GATEWAY: ['gateway', 'enabled'],
  BALLAST_REGISTRY_MIRROR: ['registries', 'docker.io', 'mirror'],
  BALLAST_GRADER_TOKEN: ['grading', 'token'],
  BALLAST_GRADING_JOBS: ['grading', 'jobs'],
  BALLAST_SESSION_MINUTES: ['session', 'minutes'],
  BALLAST_SESSION_MAX: ['session', 'max'],
  BALLAST_SESSION_MAX_MINUTES: ['session', 'maxMinutes'],
  BALLAST_SESSION_IDLE_MINUTES: ['session', 'idleMinutes'],
  BALLAST_POOL_SIZE: ['pool', 'size'],
  BALLAST_METRICS_TOKEN: ['metrics', 'token'],
  BALLAST_SANDBOX_MEMORY_BYTES: ['sandbox', 'memoryBytes'],
  BALLAST_SANDBOX_CPUS: ['sandbox', 'cpus'],
  BALLAST_SANDBOX_PIDS: ['sandbox', 'pids'],
  BALLAST_SANDBOX_DISK_BYTES: ['sandbox', 'diskBytes'],
  BALLAST_DISK_RESERVE_BYTES: ['disk', 'reserveBytes'],
};

type Tree = Record<string, unknown>;

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function setPath(tree: Tree, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    tree[head] = value;
    return;
  }
  const child = isTree(tree[head]) ? tree[head] : {};
  tree[head] = child;
  setPath(child, rest, value);
}

function readConfigFile(file: string, required: boolean): Tree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (!required && (cause as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new BallastError('config_invalid', { message: `Cannot read ${file}: ${(cause as Error).message}`, cause });
  }
  let value: unknown;
  try {
    value = parseYaml(text);
  } catch (cause) {
    throw new BallastError('config_invalid', { message: `${file}: ${(cause as Error).message}`, cause });
  }
  if (value === null || value === undefined) return {};
  if (!isTree(value)) throw new BallastError('config_invalid', { message: `${file}: expected a map of settings.` });
  return value;
}

/**
 * Settings from defaults, then `ballast.yaml` (or the file named by BALLAST_CONFIG), then the environment,
 * then `overrides` (command line).
 * @throws BallastError config_invalid, naming the key.
 */
export function loadConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  overrides: { host?: string | undefined; port?: number | undefined } = {},
): Config {
  const named = environment['BALLAST_CONFIG'];
  const tree = readConfigFile(resolve(named ?? 'ballast.yaml'), named !== undefined);
  for (const [name, path] of Object.entries(environmentNames)) {
    const value = environment[name];
    if (value !== undefined && value !== '') setPath(tree, path, value);
  }
  if (overrides.host !== undefined) tree['host'] = overrides.host;
  if (overrides.port !== undefined) tree['port'] = overrides.port;
  const parsed = configSchema.safeParse(tree);
  if (parsed.success) return parsed.data;
  throw new BallastError('config_invalid', {
    message: parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`).join('; '),
    hint: 'Correct ballast.yaml or the BALLAST_* environment variable.',
    cause: parsed.error,
  });
}
