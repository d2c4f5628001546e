import { expect, test } from 'vitest';
import { parseImages } from './list-images.ts';

const base = [
  { ref: 'golang:1.24', origin: 'equivalent', sizeBytes: 700, digest: 'sha256:aa' },
  { ref: 'gcr.io/distroless/static-debian13', origin: 'official', sizeBytes: 2, digest: 'sha256:bb' },
] as const;

test('an image is listed once a tag, base images after the own ones', () => {
  const output = [
    '{"id":"sha256:aa","tags":["golang:1.24"],"size":700,"created":"2026-01-01T00:00:00Z"}',
    '{"id":"sha256:cc","tags":["greeter:latest","greeter:v1"],"size":9,"created":null}',
    '{"id":"sha256:dd","tags":[],"size":9,"created":null}',
    '{"id":"sha256:ee","tags":null,"size":9,"created":null}',
    '{"id":"sha256:bb","tags":["gcr.io/distroless/static-debian13:latest"],"size":2,"created":null}',
    '',
  ].join('\n');
  expect(parseImages(output, base).map(({ ref, base: isBase, origin }) => [ref, isBase, origin])).toEqual([
    ['greeter:latest', false, 'unknown'],
    ['greeter:v1', false, 'unknown'],
    ['gcr.io/distroless/static-debian13:latest', true, 'official'],
    ['golang:1.24', true, 'equivalent'],
  ]);
});

test('a learner who takes the name of a base image has made no base image', () => {
  const output = '{"id":"sha256:ff","tags":["golang:1.24"],"size":5,"created":null}';
  expect(parseImages(output, base)[0]).toMatchObject({ base: false, origin: 'unknown' });
});
