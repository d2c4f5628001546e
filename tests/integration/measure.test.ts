import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { measure } from '../../sandbox-server/measure/measure.ts';
import { measurements as measurementsSchema } from '../../sandbox-server/protocol/index.ts';
import { newSessionId } from '../../sandbox-server/sessions/credentials.ts';
import { graderOf, removeSandboxes } from '../helpers/clean-room.ts';
import { prepareBase } from '../helpers/server.ts';

const home = mkdtempSync(join(tmpdir(), 'ballast-measure-'));
const host = newSessionId();
const base = await prepareBase(home);

afterAll(async () => {
  await removeSandboxes(base, host);
  rmSync(home, { recursive: true, force: true });
});

it('measures images and rebuilds in a real sandbox', async () => {
  const lab = 'multi-stage-go';
  const dockerfile = ['FROM debian:trixie-slim', 'RUN echo kept', 'COPY go.mod /', 'RUN echo anew', ''].join('\n');
  const { measurements, listed } = await measure(
    {
      images: {
        base: { title: 'as it came', ref: 'debian:trixie-slim' },
        built: { title: 'built', lab, files: 'start', dockerfile },
      },
      rebuilds: {
        second: { title: 'after a change', lab, files: 'start', dockerfile, change: 'go.mod', append: '\n' },
      },
    },
    {
      ...graderOf(base, host),
      labs: base.labs,
      stored: base.prepared.store.images,
      listed: ['debian:trixie-slim'],
      onRecipe: () => undefined,
    },
  );
  expect(measurementsSchema.parse(measurements)).toEqual(measurements);
  const { base: asItCame, built } = measurements.images;
  expect(asItCame?.tools).toContain('shell');
  expect(built?.files).toBe((asItCame?.files ?? 0) + 1);
  expect(built?.sizeBytes).toBeGreaterThan(asItCame?.sizeBytes ?? 0);
  expect(built?.recipes).toEqual(asItCame?.recipes);
  // The first RUN stays, the file has changed, and what comes after it runs again.
  expect(measurements.rebuilds['second']).toMatchObject({ steps: 3, cached: 1 });
  expect(listed[0]?.packages.length).toBe(asItCame?.packages);
});
