import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPackagesServer, type PackagesSeat } from '../helpers/gateway.ts';
import { clientBuilds } from '../helpers/package-builds.ts';
import { prepareBase } from '../helpers/server.ts';

const home = mkdtempSync(join(tmpdir(), 'ballast-test-home-'));
let opened: Awaited<ReturnType<typeof openPackagesServer>>;
let seat: PackagesSeat;

beforeAll(async () => {
  const images = Object.values(clientBuilds).flatMap((build) => build.images);
  opened = await openPackagesServer(await prepareBase(home, images));
  seat = await opened.seat();
});

afterAll(async () => {
  await opened.close();
  rmSync(home, { recursive: true, force: true });
});

// go and apt are in tests/integration/gateway.test.ts.
it.each(Object.entries(clientBuilds))('%s fetches a package in a plain build', async (_client, { files, prints }) => {
  const { exitCode, output } = await seat.build(files);
  expect(output).toContain(prints);
  expect(exitCode, output).toBe(0);
  expect(output).not.toContain('may only reach package registries');
});
