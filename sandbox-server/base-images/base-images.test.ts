import { describe, expect, it } from 'vitest';
import { catalogue, contextFiles, registryOf, withTag } from './catalogue.ts';
import { setupCommand } from './lab-images.ts';
import { parseManifest } from './manifest.ts';
import { buildStep } from './build-equivalent.ts';

describe('catalogue', () => {
  it('has for each Dockerfile the stage it names', async () => {
    for (const { ref, equivalent } of catalogue) {
      if (equivalent.kind === 'bootstrap') continue;
      const dockerfile = (await contextFiles(equivalent.folder)).get('Dockerfile')?.toString() ?? '';
      expect(dockerfile, ref).toMatch(new RegExp(`^FROM .* AS ${equivalent.target}$`, 'm'));
      expect(/^FROM .* AS version$/m.test(dockerfile), ref).toBe(equivalent.versioned);
      for (const base of equivalent.on) {
        const refs = catalogue.map((entry) => entry.ref);
        expect(refs.indexOf(base), base).toBeLessThan(refs.indexOf(ref));
      }
    }
  });

  it('names each reference once, with its tag', () => {
    const refs = catalogue.map(({ ref }) => ref);
    expect(new Set(refs).size).toBe(refs.length);
    expect(refs.map(withTag)).toEqual(refs);
  });
});

describe('withTag', () => {
  it.each([
    ['golang', 'golang:latest'],
    ['golang:1.24', 'golang:1.24'],
    ['localhost:5000/golang', 'localhost:5000/golang:latest'],
    ['a/b@sha256:00', 'a/b@sha256:00'],
  ])('makes %s %s', (ref, full) => {
    expect(withTag(ref)).toBe(full);
  });
});

describe('registryOf', () => {
  it.each([
    ['golang:1.24', 'docker.io'],
    ['library/golang:1.24', 'docker.io'],
    ['gcr.io/distroless/static-debian13:latest', 'gcr.io'],
    ['localhost/x:1', 'localhost'],
    ['localhost:5000/x:1', 'localhost:5000'],
  ])('of %s is %s', (ref, registry) => {
    expect(registryOf(ref)).toBe(registry);
  });
});

describe('parseManifest', () => {
  it('takes a manifest and nothing else', () => {
    const manifest = {
      version: 2,
      seed: 'x',
      revision: 1,
      diskBytes: 5,
      images: [{ ref: 'a:1', origin: 'official', sizeBytes: 5, digest: 'sha256:0', seconds: 0.5 }],
      registries: [{ client: 'go', url: 'https://proxy.test' }],
    };
    expect(parseManifest(JSON.stringify(manifest))).toEqual(manifest);
    expect(parseManifest('')).toBeNull();
    expect(parseManifest('{"version":1}')).toBeNull();
  });
});

describe('buildStep', () => {
  it.each([
    ['#7 [packages 2/4] RUN apt-get update', 0.25],
    ['#5 [1/2] FROM debian', 0],
    ['#8 [latest 2/2] WORKDIR /', 0.5],
    ['#7 0.345 Get:1 trixie InRelease', null],
    ['#1 [internal] load build definition', null],
  ])('of "%s" is %s', (line, step) => {
    expect(buildStep(line)).toBe(step);
  });
});

describe('setupCommand', () => {
  it.each([
    [['python:3.13'], 'npx ballast setup --track python'],
    [['node:20-slim', 'gcr.io/distroless/nodejs20-debian13:nonroot'], 'npx ballast setup --track node'],
    [['node:20', 'python:3.13'], 'npx ballast setup --lab mine'],
    [['nginx:1'], 'npx ballast setup --lab mine'],
  ])('for %j is %s', (missing, command) => {
    expect(setupCommand({ id: 'mine', images: missing }, missing)).toBe(command);
  });
});
