import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { connectDocker } from '../engines/docker/connect.ts';
import type { ImageSource } from '../images/archive-image-reader.ts';
import { BallastError } from '../protocol/index.ts';

/**
 * Where an image named on the command line comes from: an archive of `docker save`, "-" for one on standard input, or
 * an image of the engine. No sandbox is needed.
 */
export async function imageSourceOf(image: string): Promise<ImageSource> {
  const file = await stat(image).catch(() => null);
  const once = (open: () => Readable): ImageSource => ({
    resolve: () => Promise.resolve({ id: image }),
    save: () => Promise.resolve(open()),
  });
  if (image === '-') return once(() => process.stdin);
  if (file?.isFile() === true) return once(() => createReadStream(image));
  const engine = await connectDocker(process.env);
  return {
    resolve: async (ref) => {
      const found = await engine.findImage(ref);
      if (found !== null) return { id: found.id };
      throw new BallastError('image_not_found', {
        message: `There is no image "${ref}" in the Docker Engine, and no such file.`,
        hint: 'Build it first, or name an archive that "docker save" wrote.',
      });
    },
    save: (id) => engine.saveImage(id),
  };
}
