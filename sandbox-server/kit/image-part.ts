import type { Readable } from 'node:stream';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { KitError } from '../../bin/kit-file.mjs';

const maxDocumentBytes = 4 * 1024 * 1024;

/** The documents of an archive of `docker save` in which names are given to images. */
const savedImages = z.array(z.object({ RepoTags: z.array(z.string()).nullable() }));
const repositories = z.record(z.string(), z.record(z.string(), z.string()));
const ociIndex = z.object({
  manifests: z.array(z.object({ annotations: z.record(z.string(), z.string()).optional() })),
});

const namesIn: Readonly<Record<string, (document: unknown) => readonly string[]>> = {
  'manifest.json': (document) => savedImages.parse(document).flatMap(({ RepoTags }) => RepoTags ?? ['(none)']),
  repositories: (document) =>
    Object.entries(repositories.parse(document)).flatMap(([name, tags]) =>
      Object.keys(tags).map((tag) => `${name}:${tag}`),
    ),
  'index.json': (document) =>
    ociIndex
      .parse(document)
      .manifests.map(({ annotations = {} }) => annotations['io.containerd.image.name'] ?? '(none)')
      .map((name) => name.replace(/^docker\.io\//, '')),
};

/**
 * Make sure that an archive of `docker save` holds one image, under one name: an engine takes in all that it finds, over
 * images of the same name. Reads it to its end.
 * @param ref the name that it must have
 * @throws KitError kit_damaged
 */
export async function inspectImageArchive(archive: Readable, ref: string): Promise<void> {
  const wrong = (what: string): KitError =>
    new KitError(
      'kit_damaged',
      `The sandbox image in the kit is not what it should be: ${what}.`,
      'Do not use this kit: it was not made by "ballast kit export".',
    );
  const seen = new Set<string>();
  const unpacker = extract();
  archive.once('error', (error) => {
    unpacker.destroy(error);
  });
  archive.pipe(unpacker);
  for await (const entry of unpacker) {
    const name = entry.header.name.replace(/^(\.?\/)+/, '');
    const read = Object.hasOwn(namesIn, name) ? namesIn[name] : undefined;
    if (read === undefined) {
      entry.resume();
      continue;
    }
    if (seen.has(name) || entry.header.type !== 'file' || entry.header.size > maxDocumentBytes)
      throw wrong(`${name} is there twice, or is no plain file`);
    seen.add(name);
    const chunks: Buffer[] = [];
    for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
    let names: readonly string[];
    try {
      names = read(JSON.parse(Buffer.concat(chunks).toString('utf8')));
    } catch {
      throw wrong(`${name} cannot be understood`);
    }
    if (names.length !== 1 || names[0] !== ref)
      throw wrong(`${name} names ${JSON.stringify(names).slice(0, 200)}, not ${ref} alone`);
  }
  if (!seen.has('manifest.json')) throw wrong('it has no manifest.json');
}
