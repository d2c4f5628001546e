import { describe, expect, test } from 'vitest';
import type { MeasuredImage, Measurements } from '../sandbox-server/protocol/measurements.ts';
import { measuredFigure } from './measurements.ts';

const image = (sizeBytes: number, packages: number, equivalent = false): MeasuredImage => ({
  title: 'an image',
  equivalent,
  recipes: {},
  sizeBytes,
  packages,
  files: 1234,
  programs: 0,
  tools: [],
});
const from: Measurements = {
  version: 1,
  measuredOn: '2026-11-21',
  images: { fat: image(692_000_000, 101, true), slim: image(5_230_000, 4), empty: image(0, 0) },
  rebuilds: { quick: { title: 'a rebuild', steps: 5, cached: 4, share: 0.114 } },
};

describe('measuredFigure', () => {
  test('gives size, counts and ratios as people write them', () => {
    expect(measuredFigure({ image: 'fat' }, from).text).toBe('692 MB');
    expect(measuredFigure({ image: 'fat', show: 'files' }, from).text).toBe('1,234');
    expect(measuredFigure({ image: 'fat', over: 'slim' }, from).text).toBe('132');
    expect(measuredFigure({ image: 'fat', over: 'slim', show: 'packages' }, from).text).toBe('25');
    expect(measuredFigure({ rebuild: 'quick' }, from).text).toBe('11 %');
    expect(measuredFigure({ rebuild: 'quick', show: 'cached' }, from).text).toBe('4');
  });

  test('says what was measured, when, and on an equivalent', () => {
    expect(measuredFigure({ image: 'fat' }, from).title).toContain('2026-11-21, with an equivalent');
    expect(measuredFigure({ image: 'slim' }, from).title).not.toContain('equivalent');
  });

  test('refuses what was not measured, and what cannot be compared', () => {
    expect(() => measuredFigure({ image: 'fta' }, from)).toThrow('"fta"');
    expect(() => measuredFigure({ image: 'fat', show: 'share' }, from)).toThrow('share');
    expect(() => measuredFigure({ image: 'fat', over: 'empty' }, from)).toThrow('compare');
    expect(() => measuredFigure({}, from)).toThrow('an image or a rebuild');
  });
});
