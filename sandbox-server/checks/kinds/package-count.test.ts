import { describe, expect, it } from 'vitest';
import { contextOf, file, makeContents } from '../../../tests/helpers/contents.ts';
import type { ImagePackage } from '../../images/packages.ts';
import { packageCount } from './package-count.ts';

const image = 'greeter';
const holding = (text: string): string => expect.stringContaining(text) as string;
const listed = (system: ImagePackage['system'], name: string, path = 'var/lib/dpkg/status'): ImagePackage => ({
  system,
  name,
  version: '1.0',
  path,
});

describe('package-count', () => {
  const path = 'var/lib/dpkg/status';
  const packages = [listed('dpkg', 'bash'), listed('dpkg', 'libc6'), listed('go', 'stdlib', 'greeter')];
  const contents = makeContents([{ entries: [file(path), file('greeter')], packages }]);
  const others = { fat: makeContents([{ entries: [file(path)], packages: packages.slice(0, 2) }]) };
  it.each([
    [{ max: 3 }, 'pass', 'It has 3 (dpkg 2, go 1).'],
    [{ max: 2 }, 'fail', 'It has 3 (dpkg 2, go 1).'],
    [{ max: 1, systems: ['go' as const] }, 'pass', 'It has 1 (go 1).'],
    [{ fewerThan: 'fat' }, 'fail', 'It has 3'],
    [{ fewerThan: 'fat', systems: ['go' as const], max: 5 }, 'fail', 'It has 1'],
  ])('%o: %s', async (wanted, status, actual) => {
    const verdict = await packageCount.run({ image, ...wanted }, contextOf(contents, { others }));
    expect(verdict).toMatchObject({ status, actual: holding(actual) });
  });

  const run = (layers: Parameters<typeof makeContents>[0], dockerfile?: string) =>
    packageCount.run(
      { image, max: 1 },
      contextOf(makeContents(layers), dockerfile === undefined ? { others } : { others, dockerfile }),
    );
  const base = { entries: [file(path)], packages: packages.slice(0, 2) };

  it('counts a list that a later layer deletes or empties, as it was', async () => {
    for (const later of [
      { entries: [], whiteouts: ['var/lib/dpkg'] },
      { entries: [file(path, 0)] },
      { entries: [], whiteouts: [path] },
    ]) {
      expect(await run([base, later])).toMatchObject({
        status: 'fail',
        actual: 'It has 2 (dpkg 2). Of these 2 are in a list that a later layer deletes.',
        hint: holding('Deleting a list removes no package.'),
      });
    }
  });

  it('takes a list for the last that a layer makes of it', async () => {
    const later = { entries: [file(path)], packages: packages.slice(0, 1) };
    expect(await run([base, later])).toMatchObject({ status: 'pass', actual: 'It has 1 (dpkg 1).' });
  });

  it('does not take an image of packages whose list was left out for one without any', async () => {
    const library = { entries: [file('usr/lib/x86_64-linux-gnu/libc.so.6')] };
    expect(await run([library])).toMatchObject({ status: 'fail', actual: holding('no list of packages') });
    const asked = { image, systems: ['go' as const], max: 1 };
    expect(await packageCount.run(asked, contextOf(makeContents([library])))).toMatchObject({ status: 'pass' });
  });

  it('says how many come with the base image and which instruction brings most of the others', async () => {
    const more = ['a', 'b', 'c'].map((name) => listed('dpkg', name));
    const verdict = await run(
      [
        base,
        {
          entries: [file(path)],
          packages: [...packages.slice(0, 2), ...more],
          createdBy: 'RUN /bin/sh -c apt-get install a # buildkit',
        },
      ],
      'FROM fat\nRUN apt-get install a\n',
    );
    expect(verdict).toMatchObject({
      hint: '2 come with the base image fat: a smaller one for the last stage has fewer.\n3 come with "RUN apt-get install a" (layer 2 of 2): leave what only the build needs in the build stage, and install with --no-install-recommends.',
    });
  });
});
