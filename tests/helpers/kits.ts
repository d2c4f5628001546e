import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { partNames } from '../../bin/kit-file.mjs';
import { installedFor } from '../../bin/with-deps.mjs';
import type { KitManifest } from '../../sandbox-server/kit/kit-manifest.ts';
import { KitWriter } from '../../sandbox-server/kit/kit-writer.ts';
import { packPart } from '../../sandbox-server/kit/part-streams.ts';

export const hex = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * Write a small kit as an export would.
 * @param contents of parts, not yet compressed, by name; a part that is not named holds a few words
 * @param further what its manifest says in place of what an export would
 */
export async function makeKit(
  file: string,
  contents: Readonly<Record<string, Buffer>> = {},
  further: Partial<KitManifest> = {},
): Promise<void> {
  await using writer = await KitWriter.create(file);
  const parts: KitManifest['parts'] = [];
  for (const name of partNames) {
    const source = Readable.from([contents[name] ?? Buffer.from(`what is in ${name}`)]);
    const { stream, unpackedBytes } = packPart(name, source, () => undefined);
    const written = await writer.addPart(name, stream);
    parts.push({ ...written, unpackedBytes: unpackedBytes() });
  }
  const manifest: KitManifest = {
    ballast: '0.0.0-test',
    createdAt: new Date(0).toISOString(),
    architecture: 'amd64',
    dependencies: installedFor(),
    sandboxImage: 'ballast/sandbox:test',
    store: {
      recipe: 'abc',
      manifest: { version: 2, seed: 'x', revision: 1, diskBytes: 0, images: [], registries: [] },
    },
    site: hex('site'),
    parts,
    ...further,
  };
  await writer.finish(manifest, () => Promise.resolve());
}
