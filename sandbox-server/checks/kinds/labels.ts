import { z } from 'zod';
import type { CheckKind } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';

const schema = z.strictObject({
  image: imageParameter,
  labels: z
    .record(z.string().min(1), z.string())
    .refine((labels) => Object.keys(labels).length > 0, 'name at least one label')
    .describe('Labels with the value each must have; "*" is any value but none.'),
});

/** Labels that tell people where an image comes from. */
export const labels: CheckKind<z.output<typeof schema>> = {
  name: 'labels',
  summary: 'The image has certain labels.',
  docs: {
    looksAt: `The labels in the image's configuration.`,
    example: `image: greeter
labels:
  org.opencontainers.image.source: '*'`,
    fails: 'Says which label is missing or has another value, and shows the LABEL line for those.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image, labels: wanted }, { images, signal }) {
    const { config } = await images.read(image, signal);
    const named = Object.entries(wanted).map(([name, value]) => (value === '*' ? name : `${name}=${value}`));
    const expected = `${image} has the ${named.length === 1 ? 'label' : 'labels'} ${named.join(', ')}.`;
    const wrong = Object.entries(wanted).flatMap(([name, value]) => {
      const seen = Object.hasOwn(config.labels, name) ? config.labels[name] : undefined;
      if (seen === undefined) return [{ name, value, says: `${name} is not there` }];
      if (value === '*' ? seen !== '' : seen === value) return [];
      return [{ name, value, says: `${name} is ${JSON.stringify(seen)}` }];
    });
    if (wrong.length === 0) return { status: 'pass', expected, actual: 'It has.' };
    const line = wrong.map(({ name, value }) => `${name}=${value === '*' ? '"…"' : JSON.stringify(value)}`).join(' ');
    return {
      status: 'fail',
      expected,
      actual: `${wrong.map(({ says }) => says).join('; ')}.`,
      hint: `Set it in the last stage, since labels of other stages do not carry over: LABEL ${line}`,
    };
  },
};
