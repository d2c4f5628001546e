import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, openAsBlob } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { extract, pack } from 'tar-stream';
import { z } from 'zod';
import type { TestRegistry } from './registry.ts';

const savedManifest = z.array(z.object({ Config: z.string(), Layers: z.array(z.string()) })).length(1);
const imageConfig = z.looseObject({
  config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }),
  rootfs: z.object({ type: z.literal('layers'), diff_ids: z.array(z.string()) }),
  history: z.array(z.unknown()),
});

interface Pushed {
  readonly digest: string;
  readonly size: number;
}
interface PushedLayer extends Pushed {
  readonly diffId: string;
}

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
/** Of a file in a layer, which of the layers that it is split into has it: /usr apart from the rest, as most is there. */
const splitBy = ['usr', ''] as const;

/**
 * Pushes images as an official registry has them: made from equivalents, without the label that says so, and with a
 * layer more for each of theirs. Nothing of it goes through an engine.
 */
export class OfficialImages {
  readonly #registry: TestRegistry;
  readonly #folder: string;
  /** Images share layers: each is split and compressed once. */
  readonly #layers = new Map<string, Promise<readonly string[]>>();

  /** @param folder for what is on its way */
  constructor(registry: TestRegistry, folder: string) {
    this.#registry = registry;
    this.#folder = folder;
  }

  /**
   * @param archive of one image, as `docker save` writes it
   * @param repository where to, without the registry's name
   */
  async push(archive: Readable, repository: string, tag: string): Promise<void> {
    const saved = mkdtempSync(join(this.#folder, 'saved-'));
    // Without --ignore-zeros it ends at the archive's end mark, and what is still to come fails to be written.
    const tar = spawn('tar', ['-x', '--ignore-zeros', '-f', '-', '-C', saved], {
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    const ended = once(tar, 'close');
    await pipeline(archive, tar.stdin);
    await ended;
    const document = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(saved, name), 'utf8'));
    const [{ Config, Layers }] = savedManifest.parse(await document('manifest.json')) as [
      z.infer<typeof savedManifest>[0],
    ];
    const { config, ...rest } = imageConfig.parse(await document(Config));
    const layers: PushedLayer[] = [];
    for (const [at, layer] of Layers.entries()) {
      const source = rest.rootfs.diff_ids[at] ?? layer;
      let files = this.#layers.get(source);
      if (files === undefined) {
        files = this.#split(join(saved, layer), source.replace(':', '-'));
        this.#layers.set(source, files);
      }
      for (const file of await files) layers.push(await this.#pushLayer(repository, file));
    }
    const labels = Object.entries(config.Labels ?? {}).filter(([name]) => !name.startsWith('ballast.'));
    const configBytes = Buffer.from(
      JSON.stringify({
        ...rest,
        config: { ...config, Labels: labels.length === 0 ? null : Object.fromEntries(labels) },
        rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
        history: layers.map(() => ({ created_by: 'official' })),
      }),
    );
    const mediaType = (kind: string): string => `application/vnd.docker.${kind}`;
    const manifest = {
      schemaVersion: 2,
      mediaType: mediaType('distribution.manifest.v2+json'),
      config: {
        mediaType: mediaType('container.image.v1+json'),
        ...(await this.#pushBlob(repository, digestOf(configBytes), new Blob([configBytes]))),
      },
      layers: layers.map(({ digest, size }) => ({ mediaType: mediaType('image.rootfs.diff.tar.gzip'), digest, size })),
    };
    await this.#ask('PUT', `/v2/${repository}/manifests/${tag}`, {
      body: JSON.stringify(manifest),
      headers: { 'content-type': manifest.mediaType },
    });
    await rm(saved, { recursive: true });
  }

  /** Split a layer by the folders at its top. @returns the layers, uncompressed: at least one */
  async #split(file: string, name: string): Promise<readonly string[]> {
    const outputs = splitBy.map((_top, at) => {
      const path = join(this.#folder, `${name}-${String(at)}.tar`);
      const archive = pack();
      return { path, archive, written: pipeline(archive, createWriteStream(path)), entries: 0 };
    });
    const unpacker = extract();
    const reading = pipeline(createReadStream(file), unpacker);
    for await (const entry of unpacker) {
      const at = topOf(entry.header.name) === 'usr' ? 0 : 1;
      const target = entry.header.type === 'link' ? topOf(entry.header.linkname) : null;
      if (target !== null && (target === 'usr') !== (at === 0)) throw new Error('A hard link between two layers.');
      const output = outputs[at]!;
      output.entries += 1;
      if (entry.header.type === 'file') {
        await pipeline(entry as unknown as Readable, output.archive.entry({ ...entry.header }));
      } else {
        output.archive.entry({ ...entry.header });
        entry.resume();
      }
    }
    for (const { archive } of outputs) archive.finalize();
    await Promise.all([reading, ...outputs.map(({ written }) => written)]);
    const filled = outputs.filter(({ entries }) => entries > 0);
    return (filled.length === 0 ? outputs.slice(0, 1) : filled).map(({ path }) => path);
  }

  async #pushLayer(repository: string, file: string): Promise<PushedLayer> {
    const packed = `${file}.gz`;
    const [diffSum, sum] = [createHash('sha256'), createHash('sha256')];
    const tapped = (hash: typeof sum): PassThrough =>
      new PassThrough().on('data', (chunk: Buffer) => hash.update(chunk));
    await pipeline(
      createReadStream(file),
      tapped(diffSum),
      createGzip({ level: 1 }),
      tapped(sum),
      createWriteStream(packed),
    );
    const pushed = await this.#pushBlob(repository, `sha256:${sum.digest('hex')}`, await openAsBlob(packed));
    await rm(packed);
    return { ...pushed, diffId: `sha256:${diffSum.digest('hex')}` };
  }

  async #pushBlob(repository: string, digest: string, blob: Blob): Promise<Pushed> {
    const there = await this.#ask('HEAD', `/v2/${repository}/blobs/${digest}`, {}, [200, 404]);
    if (there.status === 404) {
      const begun = await this.#ask('POST', `/v2/${repository}/blobs/uploads/`, {});
      const at = new URL(begun.headers.get('location') ?? '', `http://${this.#registry.host}`);
      at.searchParams.set('digest', digest);
      const headers = { 'content-type': 'application/octet-stream' };
      await this.#ask('PUT', at.pathname + at.search, { body: blob, headers });
    }
    return { digest, size: blob.size };
  }

  async #ask(
    method: string,
    path: string,
    init: { readonly body?: string | Blob; readonly headers?: Readonly<Record<string, string>> },
    fine: readonly number[] = [],
  ): Promise<Response> {
    const { host, username, password } = this.#registry;
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    const answer = await fetch(`http://${host}${path}`, {
      ...init,
      method,
      headers: { ...init.headers, authorization },
    });
    if (!answer.ok && !fine.includes(answer.status))
      throw new Error(`${method} ${path}: ${String(answer.status)} ${await answer.text()}`);
    if (method !== 'HEAD') await answer.arrayBuffer();
    return answer;
  }
}

const topOf = (name: string): string => name.replace(/^(\.?\/)+/, '').split('/')[0] ?? '';
