import { createArchiveImageReader } from '../images/archive-image-reader.ts';
import type { ImageSource } from '../images/archive-image-reader.ts';
import { defaultCaps } from '../images/caps.ts';
import { LayerCache } from '../images/layer-cache.ts';
import type { ParsedLayer } from '../images/layer.ts';
import type { ImageReader } from '../images/image-reader.ts';
import { BallastError } from '../protocol/index.ts';
import { dockerCli } from './docker-cli.ts';
import { plainText } from './plain-text.ts';
import type { RunOptions, SandboxShell } from './sandbox-shell.ts';

const resolveTimeoutMs = 30_000;
const saveTimeoutMs = 120_000;

/** Base images are the same in all sandboxes: what is known of their layers, checked by digest, serves them all. */
const sharedLayers = new LayerCache<ParsedLayer>((layer) => layer.entries.length);

/** A reader of the images in one sandbox's engine. Keep it as long as the sandbox: it remembers what it has read. */
export function createSandboxImages(shell: SandboxShell): ImageReader {
  const options = (timeoutMs: number, signal: AbortSignal | undefined): RunOptions =>
    signal === undefined ? { timeoutMs } : { timeoutMs, signal };

  const source: ImageSource = {
    async resolve(ref, signal) {
      const argv = [dockerCli, 'image', 'inspect', '--format', '{{.Id}}', '--', ref];
      const answer = await shell.run(argv, options(resolveTimeoutMs, signal));
      if (answer.exitCode === 0) return answer.stdout.trim();
      if (/no such image/i.test(answer.stderr)) return null;
      throw new BallastError('engine_failed', {
        message: `The sandbox's engine does not answer: ${plainText(answer.stderr, 200)}`,
      });
    },
    save: (id, signal) => shell.stream([dockerCli, 'save', '--', id], options(saveTimeoutMs, signal)),
  };
  return createArchiveImageReader(source, defaultCaps, sharedLayers);
}
