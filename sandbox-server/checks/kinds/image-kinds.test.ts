import { describe, expect, it } from 'vitest';
import { contextOf, file, makeContents } from '../../../tests/helpers/contents.ts';
import type { LayerEntry } from '../../images/image-reader.ts';
import type { ImagePackage } from '../../images/packages.ts';
import { toBaseline } from '../../images/size-budget.ts';
import { exposedPorts } from './exposed-ports.ts';
import { imageHas } from './image-has.ts';
import { imageLacks } from './image-lacks.ts';
import { imageSize } from './image-size.ts';
import { labels } from './labels.ts';
import { noSecret } from './no-secret.ts';
import { packageCount } from './package-count.ts';
import { staticBinary } from './static-binary.ts';
import { timeZoneData } from './time-zone-data.ts';

const image = 'greeter';
const holding = (text: string): string => expect.stringContaining(text) as string;
const link = (path: string, linkTarget: string): LayerEntry => file(path, 0, { type: 'symlink', linkTarget });
const listed = (system: ImagePackage['system'], name: string, path = 'var/lib/dpkg/status'): ImagePackage => ({
  system,
  name,
  version: '1.0',
  path,
});

describe('image-size', () => {
  const others = { fat: makeContents([{ entries: [file('a', 100e6)] }]) };
  const run = (bytes: number, limits: Partial<Parameters<typeof imageSize.run>[0]>) =>
    imageSize.run({ image, ...limits }, contextOf(makeContents([{ entries: [file('x', bytes)] }]), { others }));

  it('compares with another image', async () => {
    expect(await run(50e6, { ratio: { to: 'fat', max: 0.5 } })).toMatchObject({ status: 'pass' });
    expect(await run(50e6 + 1, { ratio: { to: 'fat', max: 0.5 } })).toMatchObject({
      status: 'fail',
      expected: 'greeter is at most 50 % of fat (100 MB), which is 50.0 MB.',
    });
  });

  it('allows growth over a baseline, be it an image or a size', async () => {
    expect(await run(105e6, { growth: { over: 'fat', maxPercent: 5 } })).toMatchObject({ status: 'pass' });
    expect(await run(106e6, { growth: { over: 'fat', maxPercent: 5 } })).toMatchObject({ status: 'fail' });
    expect(await run(11e6, { growth: { over: 10e6, maxPercent: 5 } })).toMatchObject({
      status: 'fail',
      expected: 'greeter is at most 5 % larger than the baseline (10.0 MB), which is 10.5 MB.',
    });
  });

  it('allows growth over a baseline that was measured and kept in a file', async () => {
    const before = toBaseline(makeContents([{ entries: [file('app', 10e6), file('old', 1e6)] }]));
    const over = { baseline: 'baseline.json' };
    const judge = (bytes: number, text = JSON.stringify(before)) =>
      imageSize.run(
        { image, growth: { over, maxPercent: 10 } },
        contextOf(makeContents([{ entries: [file('app', bytes), file('old', 1e6)] }]), { dockerfile: text }),
      );
    expect(await judge(11e6)).toMatchObject({ status: 'pass' });
    expect(await judge(12e6)).toMatchObject({
      status: 'fail',
      expected: 'greeter is at most 10 % larger than baseline.json (11.0 MB), which is 12.1 MB.',
      actual: 'It is 13.0 MB in 1 layer: 900 kB too much.',
      hint: holding('Larger than in the baseline, by: /app (2.0 MB).'),
    });
    await expect(judge(1, '{}')).rejects.toThrow('baseline.json is not what "ballast budget" writes.');
    expect(imageSize.schema.parse({ image, growth: { over, maxPercent: 5 } }).growth?.over).toEqual(over);
  });

  it.each([
    [
      'COPY --from=build /usr/local/go /usr/local/go',
      '/usr/local/go',
      'The final stage copies /usr/local/go (266 MB) from "build"',
    ],
    ['COPY --from=golang:1.24 /usr/local/go /go', '/usr/local/go', 'from "golang:1.24"'],
    [
      'COPY usr/local/go /usr/local/go',
      'usr/local/go',
      'comes from "COPY usr/local/go /x" (layer 1 of 1), most of it in /usr/local/go',
    ],
    ['COPY --from=build /out /out', '/usr/local/go', 'comes from "COPY /usr/local/go /x"'],
  ])('says where the most comes from: %s', async (copy, source, hint) => {
    const entries = [file('usr/local/go/bin/go', 133e6), file('usr/local/go/pkg/x', 133e6)];
    const contents = makeContents([{ entries, createdBy: `COPY ${source} /x # buildkit` }]);
    const context = contextOf(contents, { dockerfile: `FROM golang:1.24 AS build\nFROM scratch\n${copy}\n` });
    expect(await imageSize.run({ image, max: 20e6 }, context)).toMatchObject({ status: 'fail', hint: holding(hint) });
  });

  it('wants at least one limit, and reads sizes with units', () => {
    expect(imageSize.schema.safeParse({ image }).success).toBe(false);
    expect(imageSize.schema.parse({ image, growth: { over: '10 MB', maxPercent: 5 } }).growth?.over).toBe(10e6);
    expect(imageSize.schema.parse({ image, ratio: { to: 'golang:1.24', max: 0.1 } }).ratio?.to).toBe('golang:1.24');
  });
});

describe('image-has', () => {
  const contents = makeContents([
    { entries: [file('usr/bin/dash'), link('bin', 'usr/bin'), link('usr/bin/sh', 'dash'), file('gone')], packages: [] },
    { entries: [], whiteouts: ['gone'] },
  ]);
  const run = (wanted: Partial<Parameters<typeof imageHas.run>[0]>) =>
    imageHas.run({ image, paths: [], tools: [], packages: [], ...wanted }, contextOf(contents));

  it.each([
    [{ paths: ['usr/bin/dash', 'bin/sh', 'usr/**/da*'] }, 'pass', 'All of it'],
    [{ tools: ['shell' as const] }, 'pass', 'All of it'],
    [{ paths: ['app', 'bin/sh'] }, 'fail', 'Not there: /app.'],
    [{ packages: ['tzdata'], tools: ['compiler' as const] }, 'fail', 'a compiler, the package tzdata'],
  ])('%o: %s', async (wanted, status, actual) => {
    expect(await run(wanted)).toMatchObject({ status, actual: holding(actual) });
  });

  it.each([
    [{ paths: ['gone'] }, 'Layer 1 of 3 brings /gone, and "RUN rm" (layer 2 of 3) deletes it.'],
    [{ paths: ['lost/*'] }, 'Layer 1 of 3 brings /lost/x, and "RUN mv" (layer 3 of 3) deletes it.'],
    [{ paths: ['app/config.json'] }, 'There is /etc/config.json: compare the path with where COPY puts it.'],
    [{ paths: ['nowhere'] }, 'look at its FROM'],
    [{ tools: ['network-tool' as const] }, 'Layer 1 of 3 brings /usr/bin/nc, and "RUN rm" (layer 2 of 3) deletes it.'],
    [
      { packages: ['tzdata'] },
      'Layer 1 of 3 lists the package tzdata in /var/lib/dpkg/status, and "RUN rm" (layer 2 of 3) takes it out.',
    ],
  ])('says what the layers tell of what is missing: %o', async (wanted, hint) => {
    const layered = makeContents([
      {
        entries: ['gone', 'lost/x', 'etc/config.json', 'usr/bin/nc', 'var/lib/dpkg/status'].map((path) => file(path)),
        packages: [listed('dpkg', 'tzdata')],
      },
      { entries: [], whiteouts: ['gone', 'usr/bin', 'var'], createdBy: 'RUN /bin/sh -c rm # buildkit' },
      { entries: [], whiteouts: ['lost'], createdBy: 'RUN /bin/sh -c mv # buildkit' },
    ]);
    const parameters = { image, paths: [], tools: [], packages: [], ...wanted };
    expect(await imageHas.run(parameters, contextOf(layered))).toMatchObject({ status: 'fail', hint: holding(hint) });
  });
});

describe('image-lacks', () => {
  it('finds packages in any layer, by name', async () => {
    const contents = makeContents([
      { entries: [file('var/lib/dpkg/status')], packages: [listed('dpkg', 'curl'), listed('dpkg', 'bash')] },
      { entries: [], whiteouts: ['var'] },
    ]);
    const run = (packages: string[]) =>
      imageLacks.run({ image, tools: [], paths: [], except: [], packages }, contextOf(contents));
    expect(await run(['curl'])).toMatchObject({
      status: 'fail',
      actual: holding('Packages: curl 1.0 in /var/lib/dpkg/status, in layer 1 of 2'),
      hint: holding('only hides it'),
    });
    expect(await run(['wget'])).toMatchObject({ status: 'pass' });
  });

  it.each([
    [
      'FROM scratch\nCOPY --from=build /usr/local/go /usr/local/go\n',
      'The final stage copies /usr/local/go (266 MB) from "build"',
    ],
    ['FROM build\n', 'its FROM is an image made for building'],
  ])('says whether the toolchain was copied or began the stage: %j', async (stage, hint) => {
    const entries = [file('usr/local/go/bin/go', 133e6), file('usr/local/go/pkg/x', 133e6)];
    const contents = makeContents([{ entries, createdBy: 'COPY /usr/local/go /usr/local/go # buildkit' }]);
    const context = contextOf(contents, { dockerfile: `FROM golang:1.24 AS build\n${stage}` });
    const parameters = { image, tools: ['go-toolchain' as const], paths: [], except: [], packages: [] };
    expect(await imageLacks.run(parameters, context)).toMatchObject({ status: 'fail', hint: holding(hint) });
  });

  it('finds interpreters, network tools and setuid programs', async () => {
    const contents = makeContents([
      { entries: [file('usr/bin/python3.13'), file('usr/bin/curl'), file('usr/bin/su', 5, { mode: 0o4755 })] },
    ]);
    const verdict = await imageLacks.run(
      { image, tools: ['interpreter', 'network-tool', 'setuid'], paths: [], except: [], packages: [] },
      contextOf(contents),
    );
    for (const path of ['python3.13', 'curl', 'su']) expect(verdict.actual).toContain(`/usr/bin/${path}`);
  });
});

describe('no-secret', () => {
  const contents = makeContents([
    { entries: [file('.env'), file('a/.env')], createdBy: 'COPY . . # buildkit' },
    { entries: [], whiteouts: ['.env'], createdBy: 'RUN /bin/sh -c rm .env # buildkit' },
  ]);
  const secret = 's3cr3t-canary';
  const run = (findings: Parameters<typeof contextOf>[1]) =>
    noSecret.run({ image, canaries: [secret], wellKnown: true }, contextOf(contents, findings));

  it('passes where nothing is found', async () => {
    expect(await run({})).toMatchObject({ status: 'pass' });
  });

  it.each([
    ['layer', true, `.env`, 'in /.env, in layer 1 of 2 (COPY); deleted later', 'Layer 2 (RUN) only hides /.env'],
    ['layer', false, `a/.env`, 'in /a/.env, in layer 1 of 2 (COPY).', '.dockerignore ("**/.env")'],
    ['config', false, '', 'docker inspect', '--mount=type=secret'],
    ['history', false, `RUN curl -H ${secret}`, 'step 1 (RUN)', '--mount=type=secret'],
  ] as const)('tells where: %s (hidden: %s), and never the secret', async (where, hidden, path, actual, hint) => {
    const verdict = await run({ findings: [{ needle: secret, where, index: 0, path, hidden }] });
    expect(verdict).toMatchObject({ status: 'fail', actual: holding(actual), hint: holding(hint) });
    expect(JSON.stringify(verdict)).not.toContain(secret);
  });

  it.each([
    [{ env: [`PATH=/bin`, `API_TOKEN=${secret}`] }, 'configuration of the image, in ENV API_TOKEN: everybody'],
    [{ labels: { note: `x ${secret}` } }, 'in the label note:'],
    [{ cmd: ['/app', `--key=${secret}`] }, 'in CMD:'],
    [{ workingDir: `/${secret}` }, 'configuration of the image: everybody'],
    [{ env: [`${secret}=x`] }, 'in ENV …:'],
  ])('names the setting, and not what it holds: %#', async (config, actual) => {
    const findings = [{ needle: secret, where: 'config', index: 0, path: '', hidden: false } as const];
    const verdict = await noSecret.run(
      { image, canaries: [secret], wellKnown: true },
      contextOf(makeContents([], config), { findings }),
    );
    expect(verdict.actual).toContain(actual);
    expect(JSON.stringify(verdict)).not.toContain(secret);
  });

  it.each([
    [`/bin/sh -c #(nop)  ENV TOKEN=${secret}`, '(ENV TOKEN)'],
    [`ENV A=b TOKEN=${secret}`, '(ENV TOKEN)'],
    [`ARG TOKEN=${secret}`, '(ARG TOKEN)'],
    [`RUN |1 TOKEN=${secret} /bin/sh -c make # buildkit`, '(RUN with ARG TOKEN)'],
    [`RUN /bin/sh -c curl -H ${secret} # buildkit`, '(RUN)'],
    [`RUN /bin/sh -c TOKEN=${secret} make # buildkit`, '(RUN TOKEN)'],
  ])('names what the step sets: %#', async (path, actual) => {
    const verdict = await run({ findings: [{ needle: secret, where: 'history', index: 0, path, hidden: false }] });
    expect(verdict.actual).toContain(actual);
    expect(JSON.stringify(verdict)).not.toContain(secret);
  });

  it('says which layer hides a file, and what brings one that is seen', async () => {
    const layered = makeContents([
      { entries: [file('app/.env')], createdBy: 'COPY . /app # buildkit' },
      { entries: [file('root/.npmrc')], createdBy: 'RUN /bin/sh -c npm login # buildkit' },
      { entries: [], whiteouts: ['app/.env'], createdBy: 'RUN /bin/sh -c rm /app/.env # buildkit' },
    ]);
    const findings = [
      { needle: secret, where: 'layer', index: 0, path: 'app/.env', hidden: true },
      { needle: secret, where: 'layer', index: 1, path: 'root/.npmrc', hidden: false },
    ] as const;
    expect(
      await noSecret.run({ image, canaries: [secret], wellKnown: true }, contextOf(layered, { findings })),
    ).toMatchObject({
      hint: 'Layer 3 (RUN) only hides /app/.env: the layer below keeps it. Mount it for the one RUN that needs it (RUN --mount=type=secret,id=…), so that no layer ever holds it.\nA RUN wrote /root/.npmrc. Mount the secret for that one RUN (RUN --mount=type=secret,id=…), and write it nowhere.',
    });
  });

  // Put together here, so that no scanner takes this file for one that leaks them.
  const token = ['gh', 'p_', 'wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx'].join('');
  const lookAt = (
    config: Parameters<typeof makeContents>[1],
    { createdBy = '', of = {}, wellKnown = true }: { createdBy?: string; of?: typeof config; wellKnown?: boolean } = {},
  ) =>
    noSecret.run(
      { image, canaries: [secret], wellKnown },
      contextOf(makeContents([{ entries: [] }, { entries: [], createdBy }], config), {
        dockerfile: 'FROM debian:13\n',
        others: { 'debian:13': makeContents([{ entries: [] }], of) },
      }),
    );

  it.each([
    [
      { env: [`GITHUB_TOKEN=${token}`] },
      '',
      '(GitHub Token) is in the configuration of the image, in ENV GITHUB_TOKEN',
    ],
    [{ labels: { a: `x ${token}` } }, '', 'in the label a'],
    [
      { env: ['DB=postgres://app:hunter2hunter2@db:5432/x'] },
      '',
      '(PostgreSQL connection string) is in the configuration of the image, in ENV DB',
    ],
    [{}, `RUN /bin/sh -c git clone https://bob:hunter2hunter2@example.org/x`, 'is in the history, step 2 (RUN)'],
    [{}, `RUN |1 TOKEN=${token} /bin/sh -c make`, '(GitHub Token) is in the history, step 2 (RUN with ARG TOKEN)'],
  ])(
    'finds secrets of well-known shapes in the configuration and the history: %#',
    async (config, createdBy, actual) => {
      const verdict = await lookAt(config, { createdBy });
      expect(verdict).toMatchObject({ status: 'fail', actual: holding(actual) });
      expect(JSON.stringify(verdict)).not.toMatch(/hunter2|wWPw5k4a/);
    },
  );

  it('takes no setting of an ordinary image for a secret, nor what the base image has', async () => {
    const env = ['PATH=/usr/bin', 'GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305', 'PYTHON_VERSION=3.13.1'];
    expect(await lookAt({ env })).toMatchObject({ status: 'pass' });
    const leaky = { env: [`TOKEN=${token}`] };
    expect(await lookAt(leaky, { of: leaky })).toMatchObject({ status: 'pass' });
    expect(await lookAt(leaky, { wellKnown: false })).toMatchObject({ status: 'pass' });
  });
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

describe('static-binary', () => {
  const elf = (linkage: 'static' | 'dynamic', interpreter = ''): Partial<LayerEntry> => ({
    elf: { linkage, interpreter },
  });
  const contents = (config: Parameters<typeof makeContents>[1]) =>
    makeContents(
      [
        {
          entries: [
            file('greeter', 9, elf('static')),
            file('usr/bin/dyn', 9, elf('dynamic', '/lib64/ld.so')),
            file('script'),
            link('bin', 'usr/bin'),
            file('hard', 0, { type: 'hardlink', linkTarget: 'greeter' }),
            file('busybox/busybox', 9, elf('static')),
            link('busybox/sh', 'busybox'),
            link('busybox/env', 'busybox'),
            link('busybox/httpd', '/busybox/busybox'),
            file('tini', 9, elf('static')),
            file('go-dyn', 9, elf('dynamic', '/lib64/ld-linux-x86-64.so.2')),
            file('musl', 9, elf('dynamic', '/lib/ld-musl-x86_64.so.1')),
            file('lib/ld-musl-x86_64.so.1', 9, elf('static')),
            file('usr/bin/dash', 9, elf('dynamic', '/lib64/ld.so')),
            link('usr/bin/sh', 'dash'),
          ],
          packages: [listed('go', 'stdlib', 'go-dyn')],
        },
      ],
      config,
    );
  it.each([
    [{ entrypoint: ['/greeter'] }, undefined, 'pass', '/greeter needs no loader'],
    [{ entrypoint: ['./greeter'] }, undefined, 'pass', '/greeter'],
    [{ cmd: ['dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically: it asks for the loader /lib64/ld.so'],
    [{ cmd: ['dyn'], env: ['PATH=/nope'] }, undefined, 'fail', 'There is no dyn'],
    [{}, undefined, 'fail', 'nothing about what to run'],
    [{ entrypoint: ['/greeter'] }, '/bin/dyn', 'fail', 'dynamically'],
    [{}, '/script', 'fail', 'no ELF program'],
    [{}, '/hard', 'pass', '/greeter'],
    // A shell is not what is judged, or not alone.
    [{ entrypoint: ['/busybox/sh', '-c', '/usr/bin/dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/busybox/sh', '-c', 'A=b exec dyn -x'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/busybox/sh', '-ec'], cmd: [' /usr/bin/dyn x'] }, undefined, 'fail', '/usr/bin/dyn is linked'],
    [{ entrypoint: ['/busybox/sh', '-c', 'PATH=/x greeter'] }, undefined, 'fail', 'cannot be told from'],
    [{ entrypoint: ['/busybox/busybox', 'sh', '-c', '/usr/bin/dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked'],
    [{ entrypoint: ['/busybox/sh', '-c', '/greeter'] }, undefined, 'pass', '/busybox/busybox and /greeter need no'],
    [{ entrypoint: ['/busybox/sh', '-c', '/usr/bin/d$X'] }, undefined, 'fail', 'cannot be told from "/usr/bin/d$X"'],
    [{ entrypoint: ['/busybox/sh', '-c', '/greeter; /dyn'] }, undefined, 'fail', 'cannot be told from'],
    [{ entrypoint: ['/busybox/sh', '-c', `/usr/bin/d''yn`] }, undefined, 'fail', 'cannot be told from'],
    [{ entrypoint: ['/busybox/sh', '-c', ''] }, undefined, 'fail', 'cannot be told from ""'],
    [{ entrypoint: ['/busybox/sh', '/script'] }, undefined, 'fail', 'It starts /script with the shell /busybox/sh'],
    [{ entrypoint: ['/busybox/sh'] }, undefined, 'fail', 'It starts the shell /busybox/sh'],
    [{ entrypoint: ['/busybox/sh', '-c', '/nowhere'] }, undefined, 'fail', 'There is no /nowhere'],
    [{ entrypoint: ['/busybox/sh', '-c', '/script'] }, undefined, 'fail', '/script is no ELF program'],
    [{ entrypoint: ['/busybox/httpd', '-f', '-h', '/etc'] }, undefined, 'pass', '/busybox/busybox needs'],
    [{ entrypoint: ['/busybox/env', 'A=b', 'dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/tini', '--'], cmd: ['/usr/bin/dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/tini', '--', '/busybox/sh', '-c', 'dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked'],
    [{ entrypoint: ['/greeter'], cmd: ['/usr/bin/dyn'] }, undefined, 'fail', '/usr/bin/dyn is linked dynamically'],
    [{ entrypoint: ['/greeter'], cmd: ['--config=/usr/bin/dyn', 'dyn'] }, undefined, 'pass', '/greeter needs no'],
    [{ entrypoint: ['/bin/sh', '-c', '/greeter'] }, undefined, 'fail', '/usr/bin/dash is linked dynamically'],
    [{}, '/musl', 'fail', "asks for the loader /lib/ld-musl-x86_64.so.1, musl's."],
    [
      {},
      '/go-dyn',
      'fail',
      "asks for the loader /lib64/ld-linux-x86-64.so.2, glibc's, which the image does not have: it would not start.",
    ],
  ])('%o %s: %s', async (config, path, status, actual) => {
    const parameters = path === undefined ? { image } : { image, path };
    expect(await staticBinary.run(parameters, contextOf(contents(config)))).toMatchObject({
      status,
      actual: holding(actual),
    });
  });

  it.each([
    ['/go-dyn', 'It was built by Go 1.0 with cgo: build it with CGO_ENABLED=0.'],
    ['/musl', 'In C link it with -static; in Rust'],
    ['/bin/sh', 'It is a shell.'],
  ])('says of %s how to make it static', async (path, hint) => {
    expect(await staticBinary.run({ image, path }, contextOf(contents({})))).toMatchObject({ hint: holding(hint) });
  });
});

describe('time-zone-data', () => {
  it('wants files with something in them, links followed', async () => {
    const zones = 'usr/share/zoneinfo';
    const contents = makeContents([
      {
        entries: [file(`${zones}/Europe/Berlin`), link(`${zones}/Berlin`, 'Europe/Berlin'), file(`${zones}/Empty`, 0)],
      },
    ]);
    const run = (wanted: string[], of = contents) => timeZoneData.run({ image, zones: wanted }, contextOf(of));
    expect(await run(['Europe/Berlin', 'Berlin'])).toMatchObject({ status: 'pass' });
    expect(await run(['Empty', 'Asia/Tokyo'])).toMatchObject({
      status: 'fail',
      actual: holding('no Empty, Asia/Tokyo'),
    });
    const deleted = makeContents([
      { entries: [file(`${zones}/Asia/Tokyo`)] },
      { entries: [], whiteouts: ['usr/share/zoneinfo'], createdBy: 'RUN /bin/sh -c rm -r /usr/share/zoneinfo' },
    ]);
    expect(await run(['Asia/Tokyo'], deleted)).toMatchObject({
      hint: holding('and "RUN rm -r /usr/share/zoneinfo" (layer 2 of 2) deletes it.'),
    });
    expect(await run(['Berlin'], makeContents([]))).toMatchObject({
      status: 'fail',
      actual: holding('There is no /usr'),
    });
  });
});

describe('labels and exposed-ports', () => {
  const context = contextOf(makeContents([], { labels: { a: '1', empty: '' }, exposedPorts: ['8080/tcp', '22/tcp'] }));
  it.each([
    [{ a: '1' }, 'pass', 'It has.'],
    [{ a: '*' }, 'pass', 'It has.'],
    [{ a: '2' }, 'fail', 'a is "1".'],
    [{ empty: '*', b: '*' }, 'fail', 'empty is ""; b is not there.'],
    [{ constructor: '*' }, 'fail', 'constructor is not there'],
  ])('labels %o: %s', async (wanted, status, actual) => {
    expect(await labels.run({ image, labels: wanted }, context)).toMatchObject({
      status,
      actual: holding(actual),
    });
  });

  it('shows the line of the labels that are wrong, and of no other', async () => {
    expect(await labels.run({ image, labels: { a: '1', b: 'x y', c: '*' } }, context)).toMatchObject({
      hint: holding('LABEL b="x y" c="…"'),
    });
  });

  it.each([
    [['22/tcp', '8080/tcp'], 'pass', undefined],
    [['8080/tcp'], 'fail', 'Nothing should listen on 22/tcp'],
    [['8080/tcp', '22/tcp', '9090/udp'], 'fail', 'EXPOSE 9090/udp'],
  ])('ports %o: %s', async (ports, status, hint) => {
    const verdict = await exposedPorts.run({ image, ports }, context);
    expect(verdict).toMatchObject({
      status,
      actual: 'It declares 22/tcp, 8080/tcp.',
      ...(hint === undefined ? {} : { hint: holding(hint) }),
    });
  });
});
