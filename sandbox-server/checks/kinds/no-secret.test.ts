import { describe, expect, it } from 'vitest';
import { contextOf, file, makeContents } from '../../../tests/helpers/contents.ts';
import { noSecret } from './no-secret.ts';

const image = 'greeter';
const holding = (text: string): string => expect.stringContaining(text) as string;

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
