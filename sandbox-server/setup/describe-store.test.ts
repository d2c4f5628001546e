import { describe, expect, it } from 'vitest';
import { describeStore, imageTable } from './describe-store.ts';

const image = { ref: 'a:1', origin: 'official', sizeBytes: 6e8, digest: 'sha256:0', seconds: 1.25 } as const;
const equivalent = { ...image, origin: 'equivalent' } as const;

describe('describeStore', () => {
  it('says how many and how large', () => {
    expect(describeStore({ images: [image, image], diskBytes: 12e8 })).toBe('2 (1.2 GB) ready');
  });

  it('says how many are equivalents, and each reason once', () => {
    const note = 'docker.io does not answer';
    expect(describeStore({ images: [image, { ...equivalent, note }, { ...equivalent, note }], diskBytes: 18e8 })).toBe(
      '3 (1.8 GB) ready, 2 of them built from Debian packages: docker.io does not answer',
    );
    expect(describeStore({ images: [equivalent], diskBytes: 6e8 })).toBe(
      '1 (600 MB) ready, 1 of them built from Debian packages',
    );
  });
});

describe('imageTable', () => {
  it('has seconds and size of each image in columns', () => {
    expect(imageTable([image, { ...equivalent, ref: 'longer:1', seconds: 12, sizeBytes: 2.1e6 }])).toBe(
      '  a:1        1.3 s  600 MB  official\n' + '  longer:1  12.0 s  2.1 MB  from Debian packages\n',
    );
  });
});
