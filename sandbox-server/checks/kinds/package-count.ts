import { z } from 'zod';
import { listedPackages } from '../../images/debian-packages.ts';
import type { ImageContents } from '../../images/image-reader.ts';
import type { ImagePackage } from '../../images/packages.ts';
import { findLibrary } from '../c-library.ts';
import type { CheckKind } from '../check-kind.ts';
import { layerOrigin, originOf } from '../image-origin.ts';
import type { ImageOrigin } from '../image-origin.ts';
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

/** Each package is something to keep patched. Each name counts once for its system. */
export const packageCount: CheckKind<Parameters> = {
  name: 'package-count',
  summary: 'The image lists no more packages than a number, or fewer than another image.',
  docs: {
    looksAt:
      'Packages that the image lists: dpkg (also distroless status.d), apk, Go modules in binaries, Python dist-info, npm. Each list counts as the last layer with something in it has it: deleting a list, or the program, in a later layer removes no package. Each name counts once for its system.',
    example: `image: greeter
fewerThan: golang:1.24`,
    fails:
      'Says the count by package system, how many are in lists that a later layer deletes, and the count of the other image. The hint says how many come with the base image and which instruction brings most of the others. An image with a C library and no list of dpkg or apk fails where these count.',
    limits: 'Packages that never had a list in the image do not count.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image, systems: counted, max, fewerThan }, context) {
    const { images, signal } = context;
    const contents = await images.read(image, signal);
    const count = countPackages(contents, counted);
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
    const library = counted === undefined || counted.includes('dpkg') ? unlistedLibrary(contents) : undefined;
    if (library !== undefined) {
      const actual = `It has a C library (/${library}) and no list of packages: they cannot be counted.`;
      const hint = 'Begin the last stage from an image with a list of its packages, and leave the list there.';
      return { status: 'fail', expected, actual, hint };
    }
    const each = count.perSystem.map(([system, number]) => `${system} ${String(number)}`).join(', ');
    const hidden =
      count.hidden === 0 ? '' : ` Of these ${String(count.hidden)} are in a list that a later layer deletes.`;
    const actual = `It has ${String(count.total)}${each === '' ? '' : ` (${each})`}.${hidden}`;
    if (good) return { status: 'pass', expected, actual };
    const hint = advise(contents, counted ?? systems, await originOf(context, image, contents), count.hidden > 0);
    return { status: 'fail', expected, actual, hint };
  },
};

type Listing = Pick<ImageContents, 'packages' | 'layers'>;

/**
 * How many packages there are, in all and of each system that has any, and how many of them are only in lists that a
 * container does not see.
 */
export function countPackages(
  { packages: visible, layers }: Listing,
  counted: readonly string[] = systems,
): { total: number; hidden: number; perSystem: readonly (readonly [string, number])[] } {
  const all = listedPackages(layers);
  const perSystem = systems
    .filter((system) => counted.includes(system))
    .map((system) => [system, namesOf(all, [system]).size] as const)
    .filter(([, number]) => number > 0);
  const total = perSystem.reduce((sum, [, number]) => sum + number, 0);
  return { total, hidden: total - namesOf(visible, counted).size, perSystem };
}

/** Packages by system and name. */
const namesOf = (packages: readonly ImagePackage[], counted: readonly string[]): Set<string> =>
  new Set(packages.filter(({ system }) => counted.includes(system)).map(({ system, name }) => `${system} ${name}`));

function unlistedLibrary(contents: ImageContents): string | undefined {
  return countPackages(contents, ['dpkg', 'apk']).total > 0 ? undefined : findLibrary(contents);
}

/** Where the packages come from, each told by the lowest layer that lists it. */
function advise(
  contents: Pick<ImageContents, 'layers'>,
  counted: readonly string[],
  origin: ImageOrigin,
  hidden: boolean,
): string {
  const known = new Set<string>();
  const brought = new Map<string, number>();
  let withBase = '';
  contents.layers.forEach(({ packages }, index) => {
    const added = [...namesOf(packages, counted)].filter((name) => !known.has(name));
    if (added.length === 0) return;
    for (const name of added) known.add(name);
    const { kind, words } = layerOrigin(contents, index, origin);
    if (kind === 'base') withBase = words;
    brought.set(words, (brought.get(words) ?? 0) + added.length);
  });
  const advice: string[] = [];
  if (withBase !== '')
    advice.push(
      `${String(brought.get(withBase) ?? 0)} come with ${withBase}: a smaller one for the last stage has fewer.`,
    );
  const [most] = [...brought].filter(([words]) => words !== withBase).toSorted(([, a], [, b]) => b - a);
  if (most !== undefined)
    advice.push(
      `${String(most[1])} come with ${most[0]}: leave what only the build needs in the build stage, and install with --no-install-recommends.`,
    );
  if (hidden) advice.push('Deleting a list removes no package.');
  return advice.join('\n');
}
