import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** What kind of machine set-up runs on, as far as it matters for installing an engine. */
export interface HostSystem {
  readonly platform: NodeJS.Platform;
  readonly isRoot: boolean;
  /** "debian", "ubuntu" or a derivative of them: apt-get is there. */
  readonly isDebianLike: boolean;
  /** PRETTY_NAME of os-release, or the platform's name. */
  readonly name: string;
  readonly hasSystemd: boolean;
}

/** Values of an os-release file (freedesktop.org's os-release(5)), without their quotes. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z0-9_]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim());
    const key = match?.[1];
    if (key !== undefined) values.set(key, match?.[2] ?? match?.[3] ?? match?.[4] ?? '');
  }
  return values;
}

/** Looks at the machine that set-up runs on. */
export function readHostSystem(): HostSystem {
  const release = existsSync('/etc/os-release')
    ? parseOsRelease(readFileSync('/etc/os-release', 'utf8'))
    : new Map<string, string>();
  const family = [release.get('ID') ?? '', ...(release.get('ID_LIKE') ?? '').split(' ')];
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    isDebianLike: process.platform === 'linux' && family.some((id) => id === 'debian' || id === 'ubuntu'),
    name: release.get('PRETTY_NAME') ?? process.platform,
    hasSystemd: existsSync('/run/systemd/system'),
  };
}

/** Absolute path of a program in PATH or the usual folders of system programs, or null. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  for (const folder of folders) {
    const path = join(folder, name);
    if (folder !== '' && existsSync(path)) return path;
  }
  return null;
}

/** Free bytes for this user on the file system that holds `path` or its nearest existing parent. */
export async function freeBytes(path: string): Promise<number> {
  let folder = path;
  while (!existsSync(folder)) folder = join(folder, '..');
  const stats = await statfs(folder);
  return stats.bavail * stats.bsize;
}
