import { createArchiveImageReader } from '../images/archive-image-reader.ts';
import type { ImageSource } from '../images/archive-image-reader.ts';
import { defaultCaps } from '../images/caps.ts';
import type { ImageReader } from '../images/image-reader.ts';
import { LayerKnowledge } from '../images/layer-memory.ts';
import { BallastError } from '../protocol/index.ts';
import { plainText } from './plain-text.ts';
import type { RunOptions, SandboxShell } from './sandbox-shell.ts';

const resolveTimeoutMs = 30_000;
const saveTimeoutMs = 120_000;
const maxConfigBytes = 4 * 1024 ** 2;

/** The image's id, and its configuration where the engine keeps such files. Constant text: the name is an argument. */
const resolveScript = `
id=$(/usr/bin/docker image inspect --format '{{.Id}}' -- "$1") || exit
printf '%s\\n' "$id"
cat -- "$HOME/.local/share/docker/image/overlay2/imagedb/content/sha256/\${id#sha256:}" 2> /dev/null
exit 0
`;

/** A sandbox of an earlier version has no program that leaves layers out. */
const saveScript = `
tool=/usr/local/lib/ballast/save-image
if [ -x "$tool" ]; then exec "$tool" "$1"; else exec /usr/bin/docker save -- "$1"; fi
`;

/**
 * A reader of the images in one sandbox's engine. Keep it as long as the sandbox: it remembers what it has read.
 * @param knowledge what is known of layers, whichever sandbox they were read in: base images are the same in all
 */
export function createSandboxImages(shell: SandboxShell, knowledge = new LayerKnowledge()): ImageReader {
  const options = (timeoutMs: number, signal: AbortSignal | undefined): RunOptions =>
    signal === undefined ? { timeoutMs } : { timeoutMs, signal };

  const source: ImageSource = {
    async resolve(ref, signal) {
      const answer = await shell.run(['/bin/sh', '-c', resolveScript, 'sh', ref], {
        ...options(resolveTimeoutMs, signal),
        maxOutputBytes: maxConfigBytes,
      });
      if (answer.exitCode === 0) {
        const [, id = '', config = ''] = /^(.*)\n([^]*)$/.exec(answer.stdout) ?? [];
        return config === '' ? { id } : { id, config };
      }
      if (/no such image/i.test(answer.stderr)) return null;
      throw new BallastError('engine_failed', {
        message: `The sandbox's engine does not answer: ${plainText(answer.stderr, 200)}`,
      });
    },
    save: (id, signal, known = []) =>
      shell.stream(['/bin/sh', '-c', saveScript, 'sh', id], {
        ...options(saveTimeoutMs, signal),
        stdin: `${known.join('\n')}\n`,
      }),
  };
  return createArchiveImageReader(source, defaultCaps, knowledge);
}
