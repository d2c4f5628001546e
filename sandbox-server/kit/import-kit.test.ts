import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeKit } from '../../tests/helpers/kits.ts';
import { configSchema } from '../config.ts';
import type { Engine } from '../engines/engine.ts';
import { importKit } from './import-kit.ts';
import { toKitError } from './kit-manifest.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-import-'));
const file = join(folder, 'a.kit');
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** An engine that can be asked what it is; anything else would be a change, and fails. */
const engineOf = (architecture: string): Engine => {
  const only = { info: () => Promise.resolve({ version: '1', architecture }) };
  return only as unknown as Engine;
};
const importing = (engine: Engine, signal = new AbortController().signal): Promise<void> => {
  const config = configSchema.parse({ home: join(folder, 'home') });
  const options = { root: folder, config, hostId: 'x', connect: () => Promise.resolve(engine), refs: [], signal };
  return importKit(file, options);
};

describe('importKit', () => {
  it('asks nothing of the engine for a kit of another architecture, or of other sources, but what it is', async () => {
    await makeKit(file, {}, { architecture: 'arm64' });
    await expect(importing(engineOf('amd64'))).rejects.toMatchObject({
      code: 'kit_mismatch',
      message: expect.stringContaining('is for arm64 machines; the Docker Engine here is for amd64') as string,
    });
    await expect(importing(engineOf('arm64'))).rejects.toMatchObject({
      code: 'kit_mismatch',
      message: expect.stringContaining('the sandbox image, the base images, the site would differ') as string,
      hint: expect.stringContaining('the same commit') as string,
    });
    expect(readdirSync(folder)).toEqual(['a.kit']);
  });

  it('ends when it is told to, with that reason', async () => {
    await makeKit(file);
    await expect(importing(engineOf('amd64'), AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

describe('toKitError', () => {
  it.each([
    ['ENOSPC', 'disk_full'],
    ['EDQUOT', 'disk_full'],
    ['EACCES', 'bad_request'],
    ['EROFS', 'bad_request'],
  ])('of %s is %s, with the file', (code, told) => {
    expect(toKitError(Object.assign(new Error('x'), { code }), '/a.kit')).toMatchObject({
      code: told,
      message: expect.stringContaining('/a.kit') as string,
    });
  });
});
