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
