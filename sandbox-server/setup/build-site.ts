import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Progress } from '../engines/engine.ts';
import { runProgram } from './run-program.ts';

const inputs = [
  'src/**/*',
  'public/**/*',
  'sandbox-server/protocol/**/*',
  'labs/*/lab.yaml',
  'astro.config.mjs',
  'tsconfig.json',
  'package-lock.json',
];

/** Digest of everything that the built site is made from. */
async function inputDigest(root: string): Promise<string> {
  const files: string[] = [];
  for await (const entry of glob(inputs, { cwd: root, withFileTypes: true })) {
    if (entry.isFile()) files.push(join(entry.parentPath, entry.name));
  }
  const hash = createHash('sha256');
  for (const file of files.sort()) {
    hash.update(file.slice(root.length).split(sep).join('/')).update('\0').update(readFileSync(file)).update('\0');
  }
  return hash.digest('hex');
}

/** The built site of a project. */
export interface SiteState {
  readonly siteDir: string;
  /** File beside it that holds the digest of what it was built from. */
  readonly stamp: string;
  /** Digest of what it is built from now. */
  readonly digest: string;
  /** Whether it was built from that. */
  readonly current: boolean;
}

/** @param root the project's folder */
export async function siteState(root: string): Promise<SiteState> {
  const siteDir = join(root, 'dist');
  const stamp = join(root, '.astro', 'ballast-site');
  const digest = await inputDigest(root);
  const current =
    existsSync(join(siteDir, 'index.html')) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
  return { siteDir, stamp, digest, current };
}

/**
 * Builds the site into `dist/` unless what is there was made from the same files.
 * @param root the project's folder
 * @returns the folder of the site and whether it had to be built
 * @throws BallastError setup_failed with Astro's last lines
 */
export async function buildSite(root: string, progress: Progress): Promise<{ siteDir: string; built: boolean }> {
  const { siteDir, stamp, digest, current } = await siteState(root);
  if (current) return { siteDir, built: false };
  const astro = join(root, 'node_modules', '.bin', 'astro');
  await runProgram(astro, ['build'], {
    cwd: root,
    progress,
    env: { ASTRO_TELEMETRY_DISABLED: '1', NODE_ENV: 'production', FORCE_COLOR: '0' },
  });
  writeFileSync(stamp, digest);
  return { siteDir, built: true };
}
