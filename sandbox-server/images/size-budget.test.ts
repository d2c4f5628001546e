import { expect, it } from 'vitest';
import { makeContents } from '../../tests/helpers/contents.ts';
import { judgeBudget, parseBaseline, toBaseline } from './size-budget.ts';
import type { SizeBaseline } from './size-budget.ts';
import type { ImageContents, LayerEntry } from './image-reader.ts';

const entry = (path: string, sizeBytes: number): LayerEntry => ({
  path,
  type: 'file',
  sizeBytes,
  mode: 0o644,
  uid: 0,
  gid: 0,
});

function baselineOf(layers: readonly [string, number][], files: readonly [string, number][]): SizeBaseline {
  const image: ImageContents = {
    ...makeContents([]),
    ref: 'app',
    sizeBytes: layers.reduce((sum, [, bytes]) => sum + bytes, 0),
    layers: layers.map(([createdBy, sizeBytes]) => ({
      digest: '',
      createdBy,
      sizeBytes,
      entries: [],
      whiteouts: [],
      opaque: [],
      packages: [],
    })),
    merged: new Map(files.map(([path, bytes]) => [path, { entry: entry(path, bytes), layer: 0 }])),
  };
  return toBaseline(image);
}

it('says which layers and files grew, most first', () => {
  const before = baselineOf(
    [
      ['FROM', 1000],
      ['COPY app', 100],
      ['RUN x', 10],
      ['RUN x', 20],
    ],
    [
      ['app', 90],
      ['lib', 500],
    ],
  );
  const after = baselineOf(
    [
      ['FROM', 1000],
      ['COPY app', 150],
      ['RUN x', 10],
      ['RUN x', 80],
    ],
    [
      ['new', 60],
      ['app', 140],
      ['lib', 400],
    ],
  );
  expect(judgeBudget(before, after, 0.05)).toEqual({
    before: 1130,
    after: 1240,
    growth: 110 / 1130,
    kept: false,
    layers: [
      { name: 'RUN x', before: 20, after: 80 },
      { name: 'COPY app', before: 100, after: 150 },
    ],
    files: [
      { name: 'new', before: 0, after: 60 },
      { name: 'app', before: 90, after: 140 },
    ],
  });
});

it('keeps exactly to the growth that is allowed', () => {
  const before = baselineOf([['FROM', 1000]], []);
  expect(judgeBudget(before, baselineOf([['FROM', 1050]], []), 0.05)).toMatchObject({ kept: true });
  expect(judgeBudget(before, baselineOf([['FROM', 1051]], []), 0.05)).toMatchObject({ kept: false });
  expect(judgeBudget(before, baselineOf([['FROM', 10]], []), 0)).toMatchObject({
    kept: true,
    growth: -0.99,
    layers: [],
  });
  expect(judgeBudget(baselineOf([], []), before, 0.05)).toMatchObject({ kept: false });
});

it('remembers the largest files, and takes one that it forgot for no larger than those', () => {
  const many = Array.from({ length: 500 }, (_, index): [string, number] => [`f${String(index)}`, 1000 + index]);
  const before = baselineOf([['FROM', 1]], many);
  expect(before.files).toHaveLength(400);
  expect(before.files[0]).toEqual({ path: 'f499', sizeBytes: 1499 });
  const after = baselineOf([['FROM', 1]], [...many.slice(1), ['f0', 5000]]);
  expect(judgeBudget(before, after, 0).files[0]).toEqual({ name: 'f0', before: 1099, after: 5000 });
});

it('reads back what it wrote, and nothing else', () => {
  const baseline = baselineOf([['FROM', 1]], [['a', 1]]);
  expect(parseBaseline(JSON.stringify(baseline), 'x')).toEqual(baseline);
  for (const text of ['', '{}', '[1]', JSON.stringify({ ...baseline, version: 2 })]) {
    expect(() => parseBaseline(text, 'x')).toThrow('no baseline');
  }
});
