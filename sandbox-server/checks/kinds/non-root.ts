import { z } from 'zod';
import type { CheckKind } from '../check-kind.ts';
import { resolveUser } from '../image-user.ts';
import { imageParameter } from '../parameters.ts';

const schema = z.strictObject({ image: imageParameter });

/** What counts is the number: a user called "app" with uid 0 is root all the same. */
export const nonRoot: CheckKind<z.output<typeof schema>> = {
  name: 'non-root',
  summary: 'A container of the image starts as a user other than root, judged by the number.',
  docs: {
    looksAt: `USER of the configuration, resolved with the image's own /etc/passwd to a number.`,
    example: 'image: greeter',
    fails:
      'Says as which user and number it starts and why: no USER, a name with the number 0, or a name that /etc/passwd does not have.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image }, { images, signal }) {
    const { config, text } = await images.read(image, signal);
    const expected = 'The container starts as a user whose number is not 0.';
    const user = resolveUser(config.user, text.get('etc/passwd'));
    if (!user.found) {
      return {
        status: 'fail',
        expected,
        actual: `USER is "${user.name}", and the image's /etc/passwd has no such user: a container would not start.`,
        hint: 'Use a number, which needs no entry in /etc/passwd, or a base image that has the user.',
      };
    }
    const named = user.name === '' ? String(user.uid) : `${String(user.uid)} (${user.name})`;
    if (user.uid !== 0) return { status: 'pass', expected, actual: `It starts as ${named}.` };
    const why = config.user === '' ? 'the image sets no USER' : `USER is "${config.user}"`;
    return {
      status: 'fail',
      expected,
      actual: `It starts as ${named}: ${why}.`,
      hint: 'Whoever breaks into the service is root in the container. Set USER in the last stage; one set in an earlier stage does not carry over. A base image tagged "nonroot" brings one along.',
    };
  },
};
