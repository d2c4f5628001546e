import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { findEntry, recipeHash } from '../base-images/catalogue.ts';
import { projectRoot } from '../cli/project.ts';
import { measurements } from '../protocol/index.ts';
import { recipes } from './recipes.ts';

const textOf = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');
const results = measurements.parse(JSON.parse(textOf('measurements/results.json')));
const wanted = recipes.parse(parse(textOf('measurements/recipes.yaml'), { merge: true }));

it('was measured by the recipes as they are: else run "npx ballast measure"', async () => {
  expect(Object.keys(results.images)).toEqual(Object.keys(wanted.images));
  expect(Object.keys(results.rebuilds)).toEqual(Object.keys(wanted.rebuilds));
  const used = Object.values(results.images).flatMap((image) => Object.entries(image.recipes));
  const now = await Promise.all(
    used.map(async ([ref]) => {
      const entry = findEntry(ref);
      return [ref, entry === undefined ? 'no longer in the catalogue' : await recipeHash(entry)];
    }),
  );
  expect(used).toEqual(now);
});

it.each(['advisories.tsv', 'scan.sh'])('gives all labs the same %s', (name) => {
  const files = wanted.advisories.files.map((file) => join(dirname(file), name));
  const [first = '', ...others] = files.map(textOf);
  expect(first.split('\n').length).toBeGreaterThan(10);
  for (const other of others) expect(other).toBe(first);
});
