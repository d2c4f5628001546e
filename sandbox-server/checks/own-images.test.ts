import { expect, it } from 'vitest';
import { BallastError } from '../protocol/index.ts';
import type { ErrorCode } from '../protocol/index.ts';
import { CheckFailed } from './check-failed.ts';
import { judgingImages } from './own-images.ts';

const failing = (code: ErrorCode) => {
  const fail = (): Promise<never> => Promise.reject(new BallastError(code, { message: 'Seen.' }));
  return judgingImages({ read: fail, search: fail }, ['golang:1.24']);
};

it.each<ErrorCode>(['too_large', 'image_unreadable'])(
  "fails the check where the learner's image is %s",
  async (code) => {
    const images = failing(code);
    for (const reading of [images.read('greeter'), images.search('greeter', ['x'])]) {
      const error: unknown = await reading.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CheckFailed);
      expect((error as CheckFailed).verdict).toMatchObject({ status: 'fail', actual: 'Seen.' });
    }
    // What the lab gives is not the learner's doing.
    await expect(images.read('golang:1.24')).rejects.toMatchObject({ code });
  },
);

it.each<ErrorCode>(['host_busy', 'engine_failed', 'sandbox_failed', 'image_not_found'])(
  'passes on %s',
  async (code) => {
    await expect(failing(code).read('greeter')).rejects.toMatchObject({ code });
  },
);
