import { rootCertificates } from 'node:tls';
import { Readable } from 'node:stream';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { contextOf, file, makeContents } from '../../../tests/helpers/contents.ts';
import type { LayerEntry } from '../../images/image-reader.ts';
import { BallastError } from '../../protocol/index.ts';
import { caCertificates } from './ca-certificates.ts';
import { fileContent } from './file-content.ts';
import { labFile } from './lab-file.ts';

const image = 'greeter';
const holding = (text: string): string => expect.stringContaining(text) as string;
const folder = (path: string): LayerEntry => file(path, 0, { type: 'directory' });

/** An engine that has one image, of which "docker cp" gives these entries; null where there is no such path. */
function contextWith(
  layers: Parameters<typeof makeContents>[0],
  copied: Readonly<Record<string, string | null>> | null,
) {
  const context = contextOf(makeContents(layers));
  const ended = { exitCode: 0, stdout: '', stderr: '', timedOut: false, truncated: false };
  const stream = (): Promise<Readable> => {
    if (copied === null) throw new BallastError('engine_failed', { message: 'Could not find the file /x' });
    const archive = pack();
    for (const [name, text] of Object.entries(copied)) {
      if (text === null) archive.entry({ name, type: 'directory' });
      else archive.entry({ name }, text);
    }
    archive.finalize();
    return Promise.resolve(Readable.from(archive, { objectMode: false }));
  };
  return { ...context, shell: { run: () => Promise.resolve(ended), stream } };
}

describe('file-content', () => {
  const run = (layers: Parameters<typeof makeContents>[0], copied: Readonly<Record<string, string | null>> | null) =>
    fileContent.run({ image, path: '/app/conf', contains: ['mode=1'], lacks: [] }, contextWith(layers, copied));

  it('reads a file', async () => {
    expect(await run([], { conf: 'mode=1' })).toMatchObject({ status: 'pass' });
  });

  it('takes no file of a folder for the folder', async () => {
    const copied = { 'conf/': null, 'conf/a': 'mode=1' };
    for (const entries of [[folder('app/conf'), file('app/conf/a')], [file('app/conf/a')]])
      expect(await run([{ entries }], copied)).toMatchObject({
        status: 'fail',
        actual: '/app/conf is a folder in the image, and no file.',
      });
  });

  it('says where else the file lies, or who deletes it', async () => {
    expect(await run([{ entries: [file('opt/conf')] }], null)).toMatchObject({
      actual: 'There is no file /app/conf in the image.',
      hint: holding('There is /opt/conf'),
    });
    const deleted = [{ entries: [file('app/conf')] }, { entries: [], whiteouts: ['app'], createdBy: 'RUN rm -r /app' }];
    expect(await run(deleted, null)).toMatchObject({ hint: holding('"RUN rm -r /app" (layer 2 of 2) deletes it') });
    expect(await run([], null)).toMatchObject({ hint: holding('Copy it into the last stage') });
  });

  it('tells to use cat only where the image has it', async () => {
    const entries = [file('usr/bin/cat')];
    expect(await run([{ entries }], { conf: 'x' })).toMatchObject({ hint: holding('--entrypoint cat greeter') });
    expect(await run([], { conf: 'x' })).toMatchObject({ hint: holding('docker cp look:/app/conf') });
  });
});

describe('ca-certificates', () => {
  const path = 'etc/ssl/certs/ca-certificates.crt';
  const run = (text: string, layers: Parameters<typeof makeContents>[0] = [{ entries: [file(path)] }]) =>
    caCertificates.run({ image, min: 3 }, contextWith(layers, { 'ca-certificates.crt': text }));
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  const [one = '', two = '', three = ''] = rootCertificates;

  it('wants different ones', async () => {
    expect(await run([one, two, three].join('\n'))).toMatchObject({ status: 'pass' });
    expect(await run([one, one, one].join('\n'))).toMatchObject({ status: 'fail', actual: holding('has 1 valid') });
  });

  it.each([
    ['', 'no certificate in PEM'],
    [broken.repeat(3) + one, 'Most of it is no certificate'],
    [one, 'It is not the whole bundle'],
  ])('tells what is wrong with a bundle', async (text, hint) => {
    expect(await run(text)).toMatchObject({ status: 'fail', hint: holding(hint) });
  });

  it('names the layer that deletes it', async () => {
    const deleted = [
      { entries: [file(path)] },
      { entries: [], whiteouts: ['etc/ssl'], createdBy: 'RUN rm -r /etc/ssl' },
    ];
    expect(await run('', deleted)).toMatchObject({
      actual: holding('There is no bundle'),
      hint: holding('"RUN rm -r /etc/ssl" (layer 2 of 2) deletes it'),
    });
  });
});

describe('lab-file', () => {
  const run = (text: string) =>
    labFile.run(
      { path: 'NOTES.md', contains: ['distroless'], minWords: 5 },
      contextOf(makeContents([]), { dockerfile: text }),
    );

  it('says what is missing, and nothing of what is not', async () => {
    const short = {
      hint: '3 more words are wanted in NOTES.md; headings do not count. Write it as you would explain it to a colleague.',
    };
    expect(await run('Distroless wins.')).toMatchObject({ status: 'fail', ...short });
    expect(await run('I like the small one best.')).toMatchObject({
      status: 'fail',
      hint: 'Say something about "distroless", spelt like that.',
    });
    expect(await run('I like the distroless one best.')).toMatchObject({ status: 'pass' });
  });
});
