import { describe, expect, it } from 'vitest';
import { configSchema } from '../config.ts';
import { pullSource } from './pull-source.ts';

const { registries } = configSchema.parse({
  registries: {
    'docker.io': { mirror: 'mirror.example:5000/hub/' },
    'gcr.io': { mirror: 'http://192.0.2.1:5000' },
    'quay.io': { insecure: true },
  },
});

describe('pullSource', () => {
  it.each([
    ['golang:1.24', 'mirror.example:5000/hub/library/golang:1.24'],
    ['me/app:1', 'mirror.example:5000/hub/me/app:1'],
    ['docker.io/library/golang:1.24', 'mirror.example:5000/hub/library/golang:1.24'],
    ['gcr.io/distroless/static-debian13:nonroot', '192.0.2.1:5000/distroless/static-debian13:nonroot'],
    ['quay.io/a/b:1', 'quay.io/a/b:1'],
    ['ghcr.io/a/b:1', 'ghcr.io/a/b:1'],
    // An image cannot be given a digest for its name.
    [`golang@sha256:${'0'.repeat(64)}`, `golang@sha256:${'0'.repeat(64)}`],
  ])('pulls %s as %s', (ref, pullRef) => {
    expect(pullSource(ref, registries)).toMatchObject({ ref, pullRef, mirrored: ref !== pullRef });
  });

  it.each([
    ['golang:1.24', {}, ['https://registry-1.docker.io/v2/library/golang/manifests/1.24']],
    ['golang:1.24', registries, ['https://mirror.example:5000/v2/hub/library/golang/manifests/1.24']],
    ['gcr.io/a:1', registries, ['http://192.0.2.1:5000/v2/a/manifests/1']],
    ['quay.io/a:1', registries, ['https://quay.io/v2/a/manifests/1', 'http://quay.io/v2/a/manifests/1']],
    ['localhost:5000/a@sha256:00', {}, ['https://localhost:5000/v2/a/manifests/sha256:00']],
  ])('asks for the manifest of %s where it is', (ref, settings, urls) => {
    expect(pullSource(ref, settings).manifestUrls).toEqual(urls);
  });
});
