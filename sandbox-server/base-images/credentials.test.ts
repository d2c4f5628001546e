import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { configSchema } from '../config.ts';
import { dockerConfig, readCredentials } from './credentials.ts';
import { pullSource, type PullSource } from './pull-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-credentials-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

function sourceWith(auth: object, mirror?: string): PullSource {
  const { registries } = configSchema.parse({
    registries: { 'docker.io': { auth, ...(mirror === undefined ? {} : { mirror }) } },
  });
  return pullSource('golang:1.24', registries);
}

describe('readCredentials', () => {
  it('reads a password, and a token, without the line break at its end', async () => {
    const secret = file('secret', 'a b:c\n');
    expect(await readCredentials(sourceWith({ username: 'me', passwordFile: secret }))).toEqual({
      username: 'me',
      password: 'a b:c',
    });
    expect(await readCredentials(sourceWith({ tokenFile: secret }))).toEqual({ registryToken: 'a b:c' });
    expect(await readCredentials(pullSource('golang:1.24', {}))).toBeUndefined();
  });

  it('reads a docker config.json, by the name of who is asked', async () => {
    const config = file(
      'config.json',
      JSON.stringify({
        auths: {
          'https://index.docker.io/v1/': { auth: base64('hub:1') },
          'mirror.example:5000': { auth: base64('me:p:q') },
        },
      }),
    );
    expect(await readCredentials(sourceWith({ dockerConfig: config }))).toEqual({ username: 'hub', password: '1' });
    expect(await readCredentials(sourceWith({ dockerConfig: config }, 'mirror.example:5000/x'))).toEqual({
      username: 'me',
      password: 'p:q',
    });
    await expect(readCredentials(sourceWith({ dockerConfig: config }, 'other.example'))).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('has no credentials for other.example') as string,
    });
  });

  it.each([
    ['nothing', '\n'],
    ['two lines', 'secret\0line'],
  ])('refuses a file that holds %s', async (_what, text) => {
    const wrong = readCredentials(sourceWith({ tokenFile: file('wrong', text) }));
    await expect(wrong).rejects.toMatchObject({ code: 'config_invalid' });
  });

  it('quotes nothing of a file that it cannot read', async () => {
    const wrong = readCredentials(sourceWith({ dockerConfig: file('broken.json', '{"auths": top-secret') }));
    await expect(wrong).rejects.toMatchObject({
      code: 'config_invalid',
      cause: undefined,
      message: expect.not.stringContaining('top-secret') as string,
    });
    const missing = readCredentials(sourceWith({ tokenFile: join(folder, 'none') }));
    await expect(missing).rejects.toMatchObject({ message: expect.stringContaining('ENOENT') as string });
  });
});

describe('dockerConfig', () => {
  it('is what docker reads', () => {
    const source = sourceWith({ tokenFile: 'x' });
    expect(JSON.parse(dockerConfig(source, { username: 'me', password: 'p' }))).toEqual({
      auths: { 'https://index.docker.io/v1/': { auth: base64('me:p') } },
    });
    expect(JSON.parse(dockerConfig(sourceWith({ tokenFile: 'x' }, 'm.example'), { registryToken: 't' }))).toEqual({
      auths: { 'm.example': { registrytoken: 't' } },
    });
  });
});
