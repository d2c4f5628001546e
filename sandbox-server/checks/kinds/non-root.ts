import { z } from 'zod';
import type { CheckKind } from '../check-kind.ts';
import { originOf } from '../image-origin.ts';
import type { ImageOrigin } from '../image-origin.ts';
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
      'Says as which user and number it starts and why: no USER, a name with the number 0, or a name that /etc/passwd does not have. The hint names the stage that sets USER where it is not the last one, and users that the image has.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image }, context) {
    const contents = await context.images.read(image, context.signal);
    const { config, text } = contents;
    const expected = 'The container starts as a user whose number is not 0.';
    const passwd = text.get('etc/passwd');
    const user = resolveUser(config.user, passwd);
    const known = knownUsers(passwd);
    if (!user.found) {
      const isNumber = /^[+-]?\d+$/.test(user.name);
      return {
        status: 'fail',
        expected,
        actual: isNumber
          ? `USER is "${user.name}", which is no number that a user can have: a container would not start.`
          : `USER is "${user.name}", and the image's /etc/passwd has no such user${known}: a container would not start.`,
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
      hint: advise(config.user, known, await originOf(context, image, contents)),
    };
  },
};

/** Users of the image other than root that people give to services, for a sentence; "" where there is none. */
function knownUsers(passwd: string | undefined): string {
  const names = (passwd ?? '').split('\n').flatMap((line) => {
    const [name = '', , uid = ''] = line.split(':');
    return /^\d+$/.test(uid) && Number(uid) >= 1000 && name !== 'nobody' ? [`${name} (${uid})`] : [];
  });
  return names.length === 0 ? '' : `; it has ${names.slice(0, 3).join(', ')}`;
}

function advise(user: string, known: string, { stages }: ImageOrigin): string {
  const danger = 'Whoever breaks into the service is root in the container.';
  if (/^[^:]*[^\d:]/.test(user) && user.split(':')[0] !== 'root')
    return `${danger} A name does not help whose number in /etc/passwd is 0, or missing, or none: the first line of that name counts. Use a number other than 0 in USER.`;
  const last = stages.at(-1);
  const elsewhere = stages.findLast((stage) => stage !== last && stage.user !== undefined);
  if (user === '' && elsewhere?.user !== undefined && last?.user === undefined)
    return `${danger} "USER ${elsewhere.user}" stands in the stage "${elsewhere.name}" and does not carry over: set it in the last stage.`;
  const has = known === '' ? '' : ` The image's /etc/passwd has users for that${known.replace('; it has', ':')}.`;
  return `${danger} Set USER in the last stage to a number other than 0; one set in an earlier stage does not carry over.${has === '' ? ' A base image tagged "nonroot" brings one along.' : has}`;
}
