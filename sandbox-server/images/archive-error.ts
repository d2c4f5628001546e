import { BallastError } from '../protocol/index.ts';

/** The archive is past one of the caps. */
export function tooLarge(what: string): BallastError {
  return new BallastError('too_large', {
    message: `This image is too large to look into: ${what}.`,
    hint: 'Make the image smaller and build it again.',
  });
}

/** The archive is broken or not an image. */
export function malformed(what: string, cause?: unknown): BallastError {
  return new BallastError('image_unreadable', { message: `This image could not be read: ${what}.`, cause });
}
