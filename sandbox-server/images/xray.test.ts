import { expect, it } from 'vitest';
import { file, makeContents } from '../../tests/helpers/contents.ts';
import { imageXray } from '../protocol/index.ts';
import { toXray } from './xray.ts';

it('counts of a list of packages that a layer writes anew what is new in it', () => {
  const dpkg = (name: string, version = '1') =>
    ({ system: 'dpkg', name, version, path: 'var/lib/dpkg/status' }) as const;
  const npm = { system: 'npm', name: 'a', version: '1', path: 'app/node_modules/a/package.json' } as const;
  const contents = makeContents([
    { entries: [file('var/lib/dpkg/status')], packages: [dpkg('a'), dpkg('b')] },
    { entries: [file('var/lib/dpkg/status')], packages: [dpkg('a'), dpkg('b'), dpkg('c'), npm] },
    { entries: [file('etc/x')] },
    { entries: [file('var/lib/dpkg/status')], packages: [dpkg('a'), dpkg('b', '2')] },
  ]);
  expect(toXray(contents).layers.map(({ packages }) => packages)).toEqual([2, 2, 0, 1]);
});

it('opens an image up: layers, packages, programs, what is hidden and what is wasted', () => {
  const curl = { system: 'dpkg', name: 'curl', version: '8', path: 'var/lib/dpkg/status' } as const;
  const contents = makeContents(
    [
      {
        createdBy: 'base',
        entries: [
          file('usr/bin/curl', 100, { elf: { linkage: 'dynamic', interpreter: '/ld.so' } }),
          file('usr/bin/bash', 200),
          file('var/lib/dpkg/status', 10, { mode: 0o644 }),
          file('usr/bin/su', 30, { mode: 0o4755 }),
        ],
        packages: [curl],
      },
      { createdBy: 'RUN rm', entries: [file('app/greeter', 50)], whiteouts: ['usr/bin/bash'] },
    ],
    { user: '65532', env: ['TOKEN=secret', 'PATH=/bin'] },
  );
  const xray = toXray(contents);
  expect(imageXray.parse({ ...xray, secrets: [] })).toEqual({ ...xray, secrets: [] });
  expect(xray.sizeBytes).toBe(390);
  expect(xray.wastedBytes).toBe(200);
  expect(xray.config).toMatchObject({ user: '65532', env: ['TOKEN', 'PATH'] });
  expect(JSON.stringify(xray)).not.toContain('secret');
  expect(xray.layers).toMatchObject([
    {
      createdBy: 'base',
      files: 4,
      hiddenBytes: 200,
      packages: 1,
      largestFolders: [{ path: 'usr/bin', sizeBytes: 330 }, {}],
    },
    { createdBy: 'RUN rm', files: 1, deletes: 1, largestFiles: [{ path: 'app/greeter', sizeBytes: 50 }] },
  ]);
  expect(xray.executables).toEqual({
    total: 2,
    linkage: { static: 0, dynamic: 1, unknown: 0 },
    list: [
      { path: 'usr/bin/curl', kind: 'network-tool', sizeBytes: 100, layer: 0 },
      { path: 'usr/bin/su', kind: 'setuid', sizeBytes: 30, layer: 0 },
    ],
  });
  expect(xray.packages).toEqual({ total: 1, list: [curl] });
});
