import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeEndpoint, findEndpoints, parseAddress } from './endpoint.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'ballast-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
});

function writeContext(name: string, host: string): void {
  const digest = createHash('sha256').update(name).digest('hex');
  const folder = join(home, '.docker', 'contexts', 'meta', digest);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'meta.json'), JSON.stringify({ Name: name, Endpoints: { docker: { Host: host } } }));
}

const useContext = (name: string): void => {
  mkdirSync(join(home, '.docker'), { recursive: true });
  writeFileSync(join(home, '.docker', 'config.json'), JSON.stringify({ currentContext: name, auths: {} }));
};

describe('parseAddress', () => {
  it.each([
    ['unix:///run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
    ['tcp://10.0.0.1:2375', { kind: 'tcp', host: '10.0.0.1', port: 2375, tls: null }],
    ['tcp://[::1]:2375', { kind: 'tcp', host: '::1', port: 2375, tls: null }],
    ['engine.example:4000', { kind: 'tcp', host: 'engine.example', port: 4000, tls: null }],
    ['tcp://engine.example', { kind: 'tcp', host: 'engine.example', port: 2375, tls: null }],
  ])('reads %s', (text, address) => {
    expect(parseAddress(text, null)).toEqual(address);
  });

  it('asks for certificates where there is a folder of them', () => {
    expect(parseAddress('tcp://engine.example', '/certs')).toEqual({
      kind: 'tcp',
      host: 'engine.example',
      port: 2376,
      tls: { ca: '/certs/ca.pem', cert: '/certs/cert.pem', key: '/certs/key.pem' },
    });
  });

  it.each(['ssh://host', 'npipe:////./pipe/x', 'tcp://', ''])('refuses "%s" and says what to use', (text) => {
    expect(() => parseAddress(text, null)).toThrow(expect.objectContaining({ code: 'engine_missing' }) as Error);
  });
});

describe('findEndpoints', () => {
  it('prefers DOCKER_HOST to everything', () => {
    useContext('work');
    writeContext('work', 'unix:///work.sock');
    const [only, ...others] = findEndpoints({ HOME: home, DOCKER_HOST: 'tcp://127.0.0.1:1' });
    expect(others).toEqual([]);
    expect(only).toMatchObject({ source: 'DOCKER_HOST', explicit: true, address: { kind: 'tcp', port: 1 } });
  });

  it('follows the current context', () => {
    useContext('work');
    writeContext('work', 'unix:///work.sock');
    const found = findEndpoints({ HOME: home });
    expect(found).toMatchObject([{ explicit: true, address: { path: '/work.sock' } }]);
    expect(describeEndpoint(found[0]!)).toBe('/work.sock (docker context work)');
  });

  it('says that a context is not defined', () => {
    useContext('lost');
    expect(() => findEndpoints({ HOME: home })).toThrow(/"lost" is not defined/);
  });

  it('says that the configuration cannot be understood', () => {
    mkdirSync(join(home, '.docker'));
    writeFileSync(join(home, '.docker', 'config.json'), '{');
    expect(() => findEndpoints({ HOME: home })).toThrow(/config\.json cannot be understood/);
  });

  it('tries the default sockets last, the rootless one too', () => {
    useContext('default');
    const paths = findEndpoints({ HOME: home, XDG_RUNTIME_DIR: '/run/user/7' }).map(({ address }) =>
      address.kind === 'unix' ? address.path : '',
    );
    expect(paths.slice(0, 2)).toEqual(['/var/run/docker.sock', '/run/user/7/docker.sock']);
  });
});
