import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

async function collect(archive: ReturnType<typeof pack>): Promise<Buffer> {
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** A tar with these entries. */
export async function makeTar(
  entries: readonly (readonly [string, string | Buffer | null | { type: 'symlink' | 'link'; linkname: string }])[],
): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of entries) {
    if (content === null) archive.entry({ name, type: 'directory', mode: 0o755 });
    else if (typeof content === 'string' || Buffer.isBuffer(content)) archive.entry({ name, mode: 0o755 }, content);
    else archive.entry({ name, ...content });
  }
  return collect(archive);
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export interface MadeImage {
  readonly layers: readonly Buffer[];
  readonly layout?: 'oci' | 'classic';
  readonly gzip?: boolean;
  readonly config?: Readonly<Record<string, unknown>>;
  /** Replaces the text of documents, by name. */
  readonly documents?: Readonly<Record<string, string>>;
}

/** An archive as `docker save` writes it, in the layout of old engines or of new ones. */
export async function makeImage({
  layers,
  layout = 'oci',
  gzip = false,
  config = {},
  documents = {},
}: MadeImage): Promise<Buffer> {
  const configText = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    history: [
      { created_by: 'ENV A=b', empty_layer: true },
      ...layers.map((_, index) => ({ created_by: `STEP ${String(index)}` })),
    ],
  });
  const stored = layers.map((layer) => (gzip ? gzipSync(layer) : layer));
  const blob = (bytes: Buffer): string => `blobs/sha256/${sha256(bytes)}`;
  const names = stored.map((layer, index) => (layout === 'oci' ? blob(layer) : `${String(index)}/layer.tar`));
  const configName = layout === 'oci' ? blob(Buffer.from(configText)) : 'config.json';
  const manifest = JSON.stringify([{ Config: configName, RepoTags: ['greeter:latest'], Layers: names }]);
  const seen = new Set<string>();
  const blobs = stored.flatMap((layer, index): [string, Buffer][] => {
    const name = names[index] ?? '';
    if (seen.has(name)) return [];
    seen.add(name);
    return [[name, layer]];
  });
  return makeTar([
    ...blobs,
    [configName, documents['config'] ?? configText],
    ['manifest.json', documents['manifest'] ?? manifest],
  ]);
}
