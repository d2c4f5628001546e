import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, pack } from 'tar-stream';

interface Layer {
  readonly diffId: string;
  /** Date of its newest file. */
  readonly newest: Date;
}

async function readLayer(file: string): Promise<Layer> {
  const hash = createHash('sha256');
  const entries = extract();
  let newest = 0;
  entries.on('entry', ({ mtime }, content, next) => {
    newest = Math.max(newest, Number(mtime));
    content.on('end', next).resume();
  });
  const bytes = createReadStream(file);
  bytes.on('data', (chunk) => hash.update(chunk));
  await pipeline(bytes, entries);
  return { diffId: `sha256:${hash.digest('hex')}`, newest: new Date(newest) };
}

/**
 * An archive for `docker load` with an image of one layer. Unlike `docker import` it gives the same image id for the
 * same layer: the image is as old as its newest file.
 * @param rootfs path of an uncompressed tar.
 */
export async function bootstrapImage(
  rootfs: string,
  image: {
    readonly ref: string;
    readonly architecture: string;
    readonly config: Readonly<Record<string, unknown>>;
  },
): Promise<Readable> {
  const { diffId, newest } = await readLayer(rootfs);
  const created = newest.toISOString();
  const config = JSON.stringify({
    architecture: image.architecture,
    os: 'linux',
    created,
    config: image.config,
    rootfs: { type: 'layers', diff_ids: [diffId] },
    history: [{ created, created_by: 'mmdebstrap' }],
  });
  const id = createHash('sha256').update(config).digest('hex');
  const manifest = JSON.stringify([{ Config: `${id}.json`, RepoTags: [image.ref], Layers: ['layer.tar'] }]);
  const archive = pack();
  const { size } = await stat(rootfs);
  archive.entry({ name: `${id}.json` }, config);
  archive.entry({ name: 'manifest.json' }, manifest);
  pipeline(
    createReadStream(rootfs),
    archive.entry({ name: 'layer.tar', size }, () => {
      archive.finalize();
    }),
  ).catch((error: unknown) => {
    archive.destroy(error as Error);
  });
  return Readable.from(archive as AsyncIterable<Buffer>, { objectMode: false });
}
