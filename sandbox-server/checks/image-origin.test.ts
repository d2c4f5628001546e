import { describe, expect, it } from 'vitest';
import { contextOf, file, makeContents } from '../../tests/helpers/contents.ts';
import type { MadeLayer } from '../../tests/helpers/contents.ts';
import type { CheckContext } from './check-kind.ts';
import { dockerfilesOf, hiddenBy, layerOrigin, originOf } from './image-origin.ts';
import { imageLacks } from './kinds/image-lacks.ts';
import { imageSize } from './kinds/image-size.ts';

const image = 'greeter';
const holding = (text: string): string => expect.stringContaining(text) as string;

const base: MadeLayer = { entries: [file('usr/bin/apt', 5e6)], createdBy: 'COPY /target/ / # buildkit' };
const layers: readonly MadeLayer[] = [
  base,
  { entries: [file('usr/bin/curl', 1e6)], createdBy: 'RUN /bin/sh -c apt-get install curl # buildkit' },
  { entries: [file('usr/bin/nc', 1000)], createdBy: 'COPY /tools/nc /usr/bin/ # buildkit' },
  { entries: [file('app/main.go', 2000)], createdBy: 'COPY . /app # buildkit' },
  { entries: [file('app/old.go', 3000)], createdBy: 'RUN /bin/sh -c make # buildkit' },
  { entries: [], whiteouts: ['app/old.go'], createdBy: 'RUN /bin/sh -c rm /app/old.go # buildkit' },
];
const dockerfile = `ARG RELEASE=13
FROM debian:$RELEASE AS below
RUN apt-get install curl
FROM below
COPY --chmod=755 --from=busybox:1 /tools/nc /usr/bin/
COPY . /app
`;
const contents = makeContents(layers);
const context = (others: Readonly<Record<string, typeof contents>> = { 'debian:13': makeContents([base]) }) =>
  contextOf(contents, { dockerfile, others });

describe('what a layer comes from', () => {
  it('is the base image, where the layer is one of those, whatever made it', async () => {
    const origin = await originOf(context(), image, contents);
    expect(origin).toMatchObject({ dockerfile: 'Dockerfile', base: 'debian:13', baseLayers: 1 });
    expect(layers.map((_, index) => layerOrigin(contents, index, origin))).toMatchObject([
      { kind: 'base', words: 'the base image debian:13' },
      { kind: 'run', words: '"RUN apt-get install curl" (layer 2 of 6)' },
      { kind: 'copy', from: 'busybox:1' },
      { kind: 'context' },
      { kind: 'run' },
      { kind: 'run' },
    ]);
  });

  it('is not the base image where the image was built from another one', async () => {
    const other = makeContents([...layers, { entries: [] }]);
    const origin = await originOf(context({ 'debian:13': other }), image, contents);
    expect(origin.baseLayers).toBeUndefined();
    expect(layerOrigin(contents, 0, origin)).toEqual({
      kind: 'unknown',
      words: '"COPY /target/ /" (layer 1 of 6)',
    });
  });

  it('is told by the Dockerfile that the lab builds the image from', async () => {
    const dockerfiles = dockerfilesOf([
      { kind: 'image-built', with: { image: 'diet:naive', dockerfile: 'Dockerfile.naive' } },
      { kind: 'image-built', with: { image, context: 'service' } },
      { kind: 'non-root', with: { image: 'x' } },
    ]);
    expect([...dockerfiles]).toEqual([
      ['diet:naive', 'Dockerfile.naive'],
      [image, 'service/Dockerfile'],
    ]);
    const read: string[] = [];
    const shell: CheckContext['shell'] = {
      ...context().shell,
      run: (argv) => {
        read.push(argv.at(-1) ?? '');
        return context().shell.run(argv);
      },
    };
    await originOf({ ...context(), shell, dockerfiles }, 'diet:naive', contents);
    expect(read).toEqual(['/home/learner/lab/Dockerfile.naive']);
  });
});

it.each([
  ['app/old.go', 4, [{ whiteouts: ['app/old.go'] }], 5],
  ['app/old.go', 4, [{ whiteouts: ['app'] }], 5],
  ['app/old.go', 4, [{ entries: [file('app/old.go')] }], 5],
  ['app/old.go', 4, [{ entries: [file('app')] }], 5],
  ['app/old.go', 4, [{ entries: [file('app', 0, { type: 'directory' })] }], undefined],
  ['app/old.go', 4, [{ whiteouts: ['ap'] }, { whiteouts: ['app/old.go'] }], 6],
] as const)('finds the layer that hides %s', (path, index, above, expected) => {
  const made = makeContents([...layers.slice(0, 5), ...above.map((layer) => ({ entries: [], ...layer }))]);
  expect(hiddenBy(made, index, path)).toBe(expected);
});

describe('hints of what an image should not have', () => {
  const hintFor = async (wanted: Partial<Parameters<typeof imageLacks.run>[0]>, of = context()) => {
    const verdict = await imageLacks.run({ image, tools: [], paths: [], except: [], packages: [], ...wanted }, of);
    return verdict.status === 'fail' ? verdict.hint : undefined;
  };

  it.each([
    [{ tools: ['package-manager' as const] }, 'The base image debian:13 brings /usr/bin/apt along.'],
    [{ tools: ['network-tool' as const] }, '"RUN apt-get install curl" (layer 2 of 6) brings /usr/bin/curl.'],
    [{ paths: ['usr/bin/nc'] }, '"COPY /tools/nc /usr/bin/" (layer 3 of 6) takes /usr/bin/nc from "busybox:1".'],
    [{ paths: ['app/main.go'] }, '"COPY . /app" (layer 4 of 6) takes /app/main.go from the build context.'],
    [
      { paths: ['app/old.go'] },
      '"RUN rm /app/old.go" (layer 6 of 6) only hides it: layer 5 still ships /app/old.go. Start a new stage and COPY --from what the service needs, or delete it in the RUN that makes it.',
    ],
  ])('name where it comes from: %o', async (wanted, hint) => {
    expect(await hintFor(wanted)).toEqual(holding(hint));
  });

  it('blame no base image for what a COPY or a RUN brings', async () => {
    expect(await hintFor({ tools: ['network-tool'] })).not.toContain('base image');
  });

  it('do not say that the base image is made for building when that is not known', async () => {
    const go = makeContents([
      { entries: [file('usr/local/go/pkg/tool/linux_amd64/compile')], createdBy: 'COPY /usr/local/go /usr/local/go' },
    ]);
    expect(await hintFor({ tools: ['go-toolchain'] }, contextOf(go, { dockerfile: 'FROM scratch\n' }))).toBe(
      '"COPY /usr/local/go /usr/local/go" (layer 1 of 1) brings /usr/local/go (10 B). Leave it out of the last stage.',
    );
  });

  it('name a package that a RUN installs, and the folder of a toolchain only once', async () => {
    const packages = [{ system: 'dpkg', name: 'curl', version: '8', path: 'var/lib/dpkg/status' }] as const;
    const made = makeContents([
      { entries: [file('var/lib/dpkg/status')], packages, createdBy: 'RUN /bin/sh -c apt-get install curl # buildkit' },
      { entries: [file('usr/local/go/bin/go'), file('usr/local/go/pkg/tool/x/compile'), file('usr/local/go/bin/gcc')] },
    ]);
    expect(await hintFor({ packages: ['curl'] }, contextOf(made))).toContain(
      '"RUN apt-get install curl" (layer 1 of 2) brings the package curl.',
    );
    const verdict = await imageLacks.run(
      { image, tools: ['go-toolchain', 'compiler'], paths: [], except: [], packages: [] },
      contextOf(made),
    );
    expect(verdict.actual).not.toContain('compiler');
  });
});

describe('hints of an image that is too large', () => {
  it('say by how much, and what of it another image has not', async () => {
    const others = { 'debian:13': makeContents([base]) };
    const parameters = { image, ratio: { to: 'debian:13', max: 0.5 }, max: 5e6 };
    expect(await imageSize.run(parameters, context(others))).toMatchObject({
      status: 'fail',
      actual: 'It is 6.0 MB in 6 layers: 3.5 MB too much.',
      hint: 'The largest layer, 5.0 MB, comes with the base image debian:13, most of it in /usr/bin (5.0 MB). A smaller one for the last stage saves most.\nWhat it has and debian:13 has not, or smaller: 1.0 MB, most of it in /usr/bin (1.0 MB).',
    });
  });
});
