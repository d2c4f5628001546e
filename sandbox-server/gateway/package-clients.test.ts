import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { askPackageClients, registriesOfImages } from './package-clients.ts';

const folder = mkdtempSync(join(tmpdir(), 'ballast-test-clients-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

it("knows the mirror of this machine's cargo, and for what it stands in", { timeout: 120_000 }, async (context) => {
  const before = await askPackageClients();
  if (!before.registries.some(({ from }) => from === 'cargo')) context.skip('this machine has no cargo');
  writeFileSync(
    join(folder, 'config.toml'),
    '[source.crates-io]\nreplace-with = "house"\n[source.house]\nregistry = "sparse+https://me:secret@mirror.test:8443/crates/"\n',
  );
  const { registries, aliases } = await askPackageClients({ ...process.env, CARGO_HOME: folder });
  expect(registries.find(({ from }) => from === 'cargo')).toMatchObject({ host: 'mirror.test', port: 8443 });
  const [alias] = aliases;
  expect(alias?.to).toBe('https://mirror.test:8443/crates/');
  expect(alias?.from).toMatch(/^https:\/\/[^/]+\/$/);
  expect(alias?.from).not.toContain('mirror.test');
});

it("knows the mirror of this machine's rustup, and tells builds of it", { timeout: 120_000 }, async (context) => {
  const { registries: usual, environment } = await askPackageClients({ ...process.env, RUSTUP_DIST_SERVER: undefined });
  if (!usual.some(({ from }) => from === 'rustup')) context.skip('this machine has no rustup');
  expect(environment).not.toHaveProperty('RUSTUP_DIST_SERVER');
  const mirror = 'https://me:secret@mirror.test:8443/rust';
  const told = await askPackageClients({ ...process.env, RUSTUP_DIST_SERVER: mirror, NO_PROXY: '*' });
  expect(told.registries.find(({ from }) => from === 'rustup')).toMatchObject({
    host: 'mirror.test',
    port: 8443,
    authorization: `Basic ${Buffer.from('me:secret').toString('base64')}`,
  });
  expect(told.environment).toMatchObject({ RUSTUP_DIST_SERVER: 'https://mirror.test:8443/rust' });
});

it('takes the registries of base images for the clients that a machine has not, and apt in any case', () => {
  const builtIn = [
    { client: 'go', url: 'https://go.test' },
    { client: 'pip', url: 'https://pip.test/simple' },
    { client: 'apt', url: 'http://deb.test/debian' },
  ] as const;
  const own = { host: 'house.test', port: null, index: null, reach: 'machine', authorization: null } as const;
  const found = registriesOfImages(builtIn, [
    { ...own, from: 'go' },
    { ...own, from: 'apt' },
  ]);
  expect(found.map(({ host, from, index }) => [host, from, index])).toEqual([
    ['pip.test', 'pip', 'pypi'],
    ['deb.test', 'apt', null],
  ]);
});
