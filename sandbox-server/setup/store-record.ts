import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuiltInRegistry } from '../base-images/built-in-registries.ts';
import { parseManifest, type StoreManifest } from '../base-images/manifest.ts';

/** Where the record of a store is kept. */
export function recordFile(home: string, volume: string): string {
  return join(home, 'stores', `${volume}.json`);
}

/** The copy of a store's manifest in the server's folder. Set-up writes it; a server that runs meanwhile reads it again. */
export class StoreRecord {
  readonly #file: string;
  #last: { readonly changed: number; readonly manifest: StoreManifest | null } | undefined;

  /** @param home the server's folder (config.home). */
  constructor(home: string, volume: string) {
    this.#file = recordFile(home, volume);
  }

  /** The manifest as it is now; null when there is none. */
  read(): StoreManifest | null {
    const changed = statSync(this.#file, { throwIfNoEntry: false })?.mtimeMs;
    if (changed === undefined) return null;
    if (this.#last?.changed !== changed)
      this.#last = { changed, manifest: parseManifest(readFileSync(this.#file, 'utf8')) };
    return this.#last.manifest;
  }

  write(manifest: StoreManifest): void {
    mkdirSync(join(this.#file, '..'), { recursive: true });
    const partial = `${this.#file}.${String(process.pid)}.part`;
    writeFileSync(partial, `${JSON.stringify(manifest, null, 2)}\n`);
    renameSync(partial, this.#file);
  }
}

/** Registries that the package clients in base images use, of every store that a set-up has recorded. */
export function recordedRegistries(home: string): readonly BuiltInRegistry[] {
  const folder = join(home, 'stores');
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return files.flatMap((name) => parseManifest(readFileSync(join(folder, name), 'utf8'))?.registries ?? []);
}
