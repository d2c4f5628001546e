import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../sandbox-server/config.ts';
import { connectDocker } from '../../sandbox-server/engines/docker/connect.ts';
import { readHostSystem } from '../../sandbox-server/setup/host-system.ts';
import { prepareSandboxImage } from '../../sandbox-server/setup/prepare-sandbox-image.ts';
import { engineContract } from './engine-contract.ts';

engineContract(async () => {
  const engine = await connectDocker();
  const { image } = await prepareSandboxImage(engine, {
    config: loadConfig(),
    host: readHostSystem(),
    progress: () => undefined,
  });
  return { engine, image };
});

describe('connectDocker', () => {
  it('says engine_missing, and where it looked, when nothing listens there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ballast-'));
    const missing = connectDocker({ HOME: folder, DOCKER_HOST: `unix://${folder}/none.sock` });
    await expect(missing).rejects.toMatchObject({
      code: 'engine_missing',
      message: expect.stringContaining(folder) as string,
    });
    await rm(folder, { recursive: true });
  });

  it('says engine_missing when the port refuses', async () => {
    const refused = connectDocker({ DOCKER_HOST: 'tcp://127.0.0.1:1' });
    await expect(refused).rejects.toMatchObject({ code: 'engine_missing' });
  });
});
