import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Id of this server on this machine, made once and kept in its folder: the label `ballast.host` on all that it makes.
 * @param home the server's folder (config.home)
 */
export function readHostId(home: string): string {
  const file = join(home, 'host-id');
  if (existsSync(file)) {
    const id = readFileSync(file, 'utf8').trim();
    if (/^[0-9a-f]{16}$/.test(id)) return id;
  }
  mkdirSync(home, { recursive: true });
  const id = randomBytes(8).toString('hex');
  writeFileSync(file, `${id}\n`);
  return id;
}
