import type { ImageReader } from '../images/image-reader.ts';
import { BallastError } from '../protocol/index.ts';
import type { SandboxShell } from './sandbox-shell.ts';

/**
 * A reader of the images in one sandbox's engine. Keep it as long as the sandbox: it remembers what it has read.
 */
export function createSandboxImages(shell: SandboxShell): ImageReader {
  return {
    read: () => Promise.reject(new BallastError('image_not_found', { message: shell.toString() })),
  };
}
