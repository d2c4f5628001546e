import { z } from 'zod';
import type { CheckKind } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';

const schema = z.strictObject({
  image: imageParameter,
  ports: z
    .array(z.string().regex(/^\d{1,5}\/(tcp|udp|sctp)$/, 'a port is like "8080/tcp"'))
    .describe('All ports that the image declares: these and no others.'),
});

/** EXPOSE opens nothing, but tells people and tools where the service is. */
export const exposedPorts: CheckKind<z.output<typeof schema>> = {
  name: 'exposed-ports',
  summary: 'The image declares exactly these ports with EXPOSE.',
  docs: {
    looksAt: `The ports in the image's configuration: EXPOSE of the image and of those below it.`,
    example: `image: greeter
ports: [8080/tcp]`,
    fails: 'Says which ports are declared, and which are missing or too many.',
    limits: 'EXPOSE opens nothing: whether the service answers is for `serves-http`.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image, ports }, { images, signal }) {
    const { config } = await images.read(image, signal);
    const listed = (all: readonly string[]): string => (all.length === 0 ? 'no port' : all.toSorted().join(', '));
    const expected = `${image} declares ${listed(ports)}.`;
    const actual = `It declares ${listed(config.exposedPorts)}.`;
    const missing = ports.filter((port) => !config.exposedPorts.includes(port));
    const extra = config.exposedPorts.filter((port) => !ports.includes(port));
    if (missing.length === 0 && extra.length === 0) return { status: 'pass', expected, actual };
    const hint =
      missing.length > 0
        ? `Add to the last stage: EXPOSE ${missing.join(' ')}`
        : `Nothing should listen on ${extra.join(', ')}: take it out of EXPOSE, or choose a base image that does not declare it.`;
    return { status: 'fail', expected, actual, hint };
  },
};
