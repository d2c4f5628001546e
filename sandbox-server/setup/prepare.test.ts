import { describe, expect, it } from 'vitest';
import { describeStore } from './prepare.ts';

const image = { ref: 'a:1', origin: 'official', sizeBytes: 6e8, digest: 'sha256:0' } as const;
const equivalent = { ...image, origin: 'equivalent' } as const;

describe('describeStore', () => {
  it('says how many and how large', () => {
    expect(describeStore([image, image])).toBe('2 (1.2 GB) ready');
  });

  it('says how many are equivalents, and each reason once', () => {
    const note = 'docker.io does not answer';
    expect(describeStore([image, { ...equivalent, note }, { ...equivalent, note }])).toBe(
      '3 (1.8 GB) ready, 2 of them built from Debian packages: docker.io does not answer',
    );
    expect(describeStore([equivalent])).toBe('1 (0.6 GB) ready, 1 of them built from Debian packages');
  });
});
