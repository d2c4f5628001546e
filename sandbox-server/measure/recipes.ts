import { z } from 'zod';

const id = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'an id is kebab-case');
const line = z.string().trim().min(1);

/** Where a build takes its files from: a folder of a lab, with a Dockerfile in place of the lab's own or without. */
const build = {
  lab: id,
  /** Folder of the lab. */
  files: z.union([z.enum(['start', 'solution']), z.string().regex(/^wrong\/[a-z0-9-]+$/)]).default('solution'),
  dockerfile: z.string().min(1).optional(),
};

const imageRecipe = z.union([
  z.strictObject({ title: line, ref: line.describe('A base image that a lab brings.') }),
  z.strictObject({ title: line, ...build, target: line.optional() }),
]);
export type ImageRecipe = z.infer<typeof imageRecipe>;

const rebuildRecipe = z.strictObject({
  title: line,
  ...build,
  change: line.describe('File that gets a line more between the two builds.'),
  append: z.string().min(1).default('\n'),
});
export type RebuildRecipe = z.infer<typeof rebuildRecipe>;

/** What Debian mended in the packages of base images, for labs that look it up. */
const advisoriesRecipe = z.strictObject({
  images: z.array(line).min(1).describe('Base images whose packages count.'),
  months: z.int().positive().describe('How far back from the newest index of the mirror.'),
  files: z.array(line).min(1).describe('Files of the project that it is written to.'),
});
export type AdvisoriesRecipe = z.infer<typeof advisoriesRecipe>;

/** measurements/recipes.yaml: what lessons want to know. */
export const recipes = z.strictObject({
  advisories: advisoriesRecipe,
  images: z.record(id, imageRecipe),
  rebuilds: z.record(id, rebuildRecipe),
});
export type Recipes = z.infer<typeof recipes>;
