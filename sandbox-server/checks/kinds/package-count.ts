import { z } from 'zod';
import type { ImageContents } from '../../images/image-reader.ts';
import type { CheckKind } from '../check-kind.ts';
import { imageParameter, otherImageParameter } from '../parameters.ts';

const systems = ['dpkg', 'apk', 'go', 'python', 'npm'] as const;

const schema = z
  .strictObject({
    image: imageParameter,
    systems: z.array(z.enum(systems)).min(1).optional().describe('Package systems that count; all when left out.'),
    max: z.int().min(0).optional().describe('Largest number of packages.'),
    fewerThan: otherImageParameter.optional().describe('Another image, which must have more packages.'),
  })
  .refine(
    ({ max, fewerThan }) => max !== undefined || fewerThan !== undefined,
    'name at least one of max and fewerThan',
  );
type Parameters = z.output<typeof schema>;

/** Each package is something to keep patched. Those that a container sees count, each name once for its system. */
export const packageCount: CheckKind<Parameters> = {
  name: 'package-count',
  summary: 'The image lists no more packages than a number, or fewer than another image.',
  docs: {
    looksAt:
      'Packages that a container sees: dpkg (also distroless status.d), apk, Go modules in binaries, Python dist-info, npm. Each name counts once for its system.',
    example: `image: greeter
fewerThan: golang:1.24`,
    fails:
      'Says the count by package system, and that of the other image. Packages of lower layers whose list was deleted do not hide: the hint says so.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image, systems: counted, max, fewerThan }, { images, signal }) {
    const count = countPackages(await images.read(image, signal), counted);
    const limits: string[] = [];
    let good = true;
    if (max !== undefined) {
      limits.push(`at most ${String(max)} packages`);
      good = count.total <= max;
    }
    if (fewerThan !== undefined) {
      const other = countPackages(await images.read(fewerThan, signal), counted).total;
      limits.push(`fewer packages than ${fewerThan}, which has ${String(other)}`);
      good &&= count.total < other;
    }
    const expected = `${image} has ${limits.join(' and ')}.`;
    const each = count.perSystem.map(([system, number]) => `${system} ${String(number)}`).join(', ');
    const actual = `It has ${String(count.total)}${each === '' ? '' : ` (${each})`}.`;
    if (good) return { status: 'pass', expected, actual };
    return {
      status: 'fail',
      expected,
      actual,
      hint: 'Most come with the base image: take a smaller one for the last stage, install with --no-install-recommends, and leave what only the build needs in the build stage.',
    };
  },
};

/** How many packages there are, in all and of each system that has any. */
export function countPackages(
  { packages }: Pick<ImageContents, 'packages'>,
  counted: readonly string[] = systems,
): { total: number; perSystem: readonly (readonly [string, number])[] } {
  const perSystem = systems
    .filter((system) => counted.includes(system))
    .map(
      (system) =>
        [system, new Set(packages.filter((each) => each.system === system).map(({ name }) => name)).size] as const,
    )
    .filter(([, number]) => number > 0);
  return { total: perSystem.reduce((sum, [, number]) => sum + number, 0), perSystem };
}
