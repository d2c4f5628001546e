import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { connectDocker } from '../engines/docker/connect.ts';
import type { ImageSource } from '../images/archive-image-reader.ts';
import { BallastError } from '../protocol/index.ts';

/** What is written as a path, or ends in ".tar", names an archive: no file that lies about takes an image's place. */
export const isArchiveName = (image: string): boolean => /^(\/|\.\.?\/)|\.tar$/.test(image);

/**
 * Where an image named on the command line comes from: an archive of `docker save` (`./my-app`, `my-app.tar`), "-" for
 * one on standard input, or an image of the engine. No sandbox is needed.
 * @throws BallastError bad_request when there is no such archive
 */
export async function imageSourceOf(image: string): Promise<ImageSource> {
  const once = (open: () => Readable): ImageSource => ({
    resolve: () => Promise.resolve({ id: image }),
    save: () => Promise.resolve(open()),
  });
  if (image === '-') return once(() => process.stdin);
  const isFile = (await stat(image).catch(() => null))?.isFile() === true;
  if (isArchiveName(image)) {
    if (isFile) return once(() => createReadStream(image));
    throw new BallastError('bad_request', {
      message: `There is no file ${image}.`,
      hint: 'Write one with "docker save", or name an image of the Docker Engine.',
    });
  }
  const engine = await connectDocker(process.env);
  return {
    resolve: async (ref) => {
      const found = await engine.findImage(ref);
      if (found !== null) return { id: found.id };
      throw new BallastError('image_not_found', {
        message: `There is no image "${ref}" in the Docker Engine.`,
        hint: isFile
          ? `For the file of that name, write ./${ref}.`
          : 'Build it first, or name an archive that "docker save" wrote, such as ./my-app.tar.',
      });
    },
    save: (id) => engine.saveImage(id),
  };
}
