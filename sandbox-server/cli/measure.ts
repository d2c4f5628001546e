import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { BallastError } from '../protocol/index.ts';
import type { DebianPackages } from '../images/debian-packages.ts';
import { measure as measureAll } from '../measure/measure.ts';
import { recipes as recipesSchema } from '../measure/recipes.ts';
import type { AdvisoriesRecipe, Recipes } from '../measure/recipes.ts';
import { formatAdvisories } from '../vulnerabilities/advisory-list.ts';
import { collectAdvisories } from '../vulnerabilities/collect-advisories.ts';
import { openDebianData } from '../vulnerabilities/debian-data.ts';
import { graderOptions, prepareFor } from './prepare-for.ts';
import { projectRoot } from './project.ts';

const recipesFile = join(projectRoot, 'measurements', 'recipes.yaml');
const resultsFile = join(projectRoot, 'measurements', 'results.json');

/**
 * `ballast measure`: measure what lessons quote, in a real sandbox, and write measurements/results.json and the lists
 * of advisories that labs look up.
 */
export async function measure(): Promise<void> {
  const recipes = await readRecipes();
  const environment = await prepareFor({ withSite: false });
  const { measurements, listed } = await measureAll(recipes, {
    ...graderOptions(environment),
    labs: environment.labs,
    stored: environment.prepared.store.images,
    listed: recipes.advisories.images,
    onRecipe: (id) => process.stderr.write(`${id}\n`),
  });
  await replaceFile(resultsFile, `${JSON.stringify(measurements, null, 2)}\n`);
  const counts = [Object.keys(measurements.images).length, Object.keys(measurements.rebuilds).length];
  process.stdout.write(`Measured ${counts.join(' images and ')} rebuilds: measurements/results.json\n`);
  const text = await advisoryList(listed, recipes.advisories, environment.config.home);
  for (const file of recipes.advisories.files) await replaceFile(join(projectRoot, file), text);
  process.stdout.write(`${text.slice(2, text.indexOf('\n'))}: ${recipes.advisories.files.join(', ')}\n`);
}

async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

async function advisoryList(
  listed: readonly DebianPackages[],
  { months }: AdvisoriesRecipe,
  home: string,
): Promise<string> {
  const [first] = listed;
  const [release, architecture] = [first?.release ?? '', first?.architecture ?? ''];
  const data = await openDebianData(join(home, 'cves'), { release, architecture });
  const since = new Date(data.date);
  since.setUTCMonth(since.getUTCMonth() - months);
  const period = { release, since: since.toISOString().slice(0, 10), until: data.date.slice(0, 10) };
  process.stderr.write(`advisories of Debian ${release} since ${period.since}\n`);
  const packages = listed.flatMap((each) => each.packages);
  return formatAdvisories(await collectAdvisories(packages, data, period.since), period);
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
