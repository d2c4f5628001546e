import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectDocker, isSupportedVersion } from './connect.ts';

describe('isSupportedVersion', () => {
  it.each(['20.10.24+dfsg1', '20.10', '23.0.1', '28.2.2', '29.0.0-rc.1', 'dev'])('takes %s', (version) => {
    expect(isSupportedVersion(version)).toBe(true);
  });
  it.each(['19.03.15', '20.9.0', '1.13.1'])('refuses %s', (version) => {
    expect(isSupportedVersion(version)).toBe(false);
  });
});

describe('connectDocker', () => {
  it('says engine_too_old, and which it found', async () => {
    const server = createServer((_request, response) => {
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ Version: '19.03.8', ApiVersion: '1.40' }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const connecting = connectDocker({ DOCKER_HOST: `tcp://127.0.0.1:${String(port)}` });
    await expect(connecting).rejects.toMatchObject({
      code: 'engine_too_old',
      message: expect.stringContaining('19.03.8') as string,
    });
    server.close();
  });
});
