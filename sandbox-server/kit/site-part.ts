import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { extract, pack } from 'tar-stream';
import { KitError } from '../../bin/kit-file.mjs';
import type { SiteState } from '../setup/build-site.ts';

const maxEntries = 100_000;

/** Folder in which a site is unpacked before it takes its place. */
const unpackedDir = ({ siteDir }: SiteState): string => `${siteDir}.importing`;

/** A tar of the built site: files with their names, nothing else of them. */
export function packSite(siteDir: string): Readable {
  const archive = pack();
  const add = async (): Promise<void> => {
    const names = await readdir(siteDir, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of files.sort()) {
      const { size } = await stat(file);
      const name = file.slice(siteDir.length + 1).replaceAll('\\', '/');
      await pipeline(createReadStream(file), archive.entry({ name, size, mode: 0o644, mtime: new Date(0) }));
    }
    archive.finalize();
  };
  add().catch((error: unknown) => {
    archive.destroy(error as Error);
  });
  return Readable.from(archive as AsyncIterable<Buffer>, { objectMode: false });
}

/** A path that stays in the folder it is joined to, on every system; null for any other. */
export function insidePath(name: string): string | null {
  const parts = name.split('/');
  const plain = parts.every((part) => part !== '' && part !== '.' && part !== '..' && !/[\\:\p{Cc}]/u.test(part));
  return plain && name.length <= 1000 ? parts.join('/') : null;
}

async function readSite(source: Readable, onFile: (path: string, content: Readable) => Promise<void>): Promise<void> {
  const unpacker = extract();
  const writing = pipeline(source, unpacker);
  let count = 0;
  const reading = (async () => {
    for await (const entry of unpacker) {
      const path = insidePath(entry.header.name);
      count += 1;
      if (entry.header.type !== 'file' || path === null || count > maxEntries)
        throw new KitError(
          'kit_damaged',
          `The site in the kit holds something else than files of a site: "${entry.header.name.slice(0, 100)}".`,
          'Do not use this kit: it was not made by "ballast kit export".',
        );
      await onFile(path, entry as unknown as Readable);
    }
  })();
  const [read, written] = await Promise.allSettled([reading, writing]);
  for (const result of [read, written]) if (result.status === 'rejected') throw result.reason;
}

/** @throws KitError kit_damaged for a site with paths out of its folder, links and the like. Changes nothing. */
export async function inspectSite(source: Readable): Promise<void> {
  await readSite(source, (_path, content) => finished(content.resume()));
}

/** Put the site in place of the one that is there, once it is whole. */
export async function unpackSite(source: Readable, site: SiteState): Promise<void> {
  const folder = unpackedDir(site);
  await rm(folder, { recursive: true, force: true });
  await readSite(source, async (path, content) => {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await pipeline(content, createWriteStream(file, { flags: 'wx' }));
  });
  await mkdir(dirname(site.stamp), { recursive: true });
  await rm(site.stamp, { force: true });
  await rm(site.siteDir, { recursive: true, force: true });
  await rename(folder, site.siteDir);
  await writeFile(site.stamp, site.digest);
}
