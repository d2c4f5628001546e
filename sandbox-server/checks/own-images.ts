import type { ImageReader } from '../images/image-reader.ts';
import { BallastError } from '../protocol/index.ts';
import { CheckFailed } from './check-failed.ts';

/**
 * A reader for judging images. One that is too large to look into, or can't be read, is the doing of whoever built it, and
 * fails the check; else anybody could make an image that nobody can grade. What has another reason (a busy host, an
 * engine that does not answer) is passed on as it is, and so is everything about the base images that the lab gives.
 * @param given references of those
 */
export function judgingImages(images: ImageReader, given: readonly string[]): ImageReader {
  const asVerdict = async <Result>(ref: string, reading: Promise<Result>): Promise<Result> => {
    try {
      return await reading;
    } catch (error) {
      if (!(error instanceof BallastError) || given.includes(ref)) throw error;
      if (error.code !== 'too_large' && error.code !== 'image_unreadable') throw error;
      throw new CheckFailed({
        expected: `The image ${ref} can be looked into.`,
        actual: error.message,
        hint:
          error.code === 'too_large' ? error.hint : 'Build it with "docker build" from files as programs write them.',
      });
    }
  };
  return {
    read: (ref, signal) => asVerdict(ref, images.read(ref, signal)),
    search: (ref, needles, signal) => asVerdict(ref, images.search(ref, needles, signal)),
  };
}
