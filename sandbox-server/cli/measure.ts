import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { BallastError } from '../protocol/index.ts';
import { measure as measureAll } from '../measure/measure.ts';
import { recipes as recipesSchema } from '../measure/recipes.ts';
import type { Recipes } from '../measure/recipes.ts';
import { graderOptions, prepareFor } from './prepare-for.ts';
import { projectRoot } from './project.ts';

const recipesFile = join(projectRoot, 'measurements', 'recipes.yaml');
const resultsFile = join(projectRoot, 'measurements', 'results.json');

/** `ballast measure`: measure what lessons quote, in a real sandbox, and write measurements/results.json. */
export async function measure(): Promise<void> {
  const recipes = await readRecipes();
  const environment = await prepareFor({ withSite: false });
  const results = await measureAll(recipes, {
    ...graderOptions(environment),
    labs: environment.labs,
    stored: environment.prepared.store.images,
    onRecipe: (id) => process.stderr.write(`${id}\n`),
  });
  await writeFile(`${resultsFile}.new`, `${JSON.stringify(results, null, 2)}\n`);
  await rename(`${resultsFile}.new`, resultsFile);
  const counts = [Object.keys(results.images).length, Object.keys(results.rebuilds).length];
  process.stdout.write(`Measured ${counts.join(' images and ')} rebuilds: measurements/results.json\n`);
}

async function readRecipes(): Promise<Recipes> {
  const parsed = recipesSchema.safeParse(parse(await readFile(recipesFile, 'utf8'), { merge: true }));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new BallastError('bad_request', {
    message: `measurements/recipes.yaml: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`,
    hint: 'What a recipe may say is in sandbox-server/measure/recipes.ts.',
  });
}
