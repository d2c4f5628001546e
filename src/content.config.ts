import { glob } from 'astro/loaders';
import { z } from 'astro/zod';
import { defineCollection, reference } from 'astro:content';

/** Pages that teach. Keys that are not listed are refused, so that a misspelt one is seen. */
const lessons = defineCollection({
  loader: glob({ pattern: '*.mdx', base: './src/content/lessons' }),
  schema: z.strictObject({
    title: z.string().min(1).max(60),
    /** Place in the list of lessons, from 1. */
    order: z.number().int().positive(),
    /** One or two sentences, for the home page and search engines. */
    summary: z.string().min(1).max(200),
    /** How long the lesson takes with its lab, roughly. */
    minutes: z.number().int().positive(),
    /** The lab beside it: a folder of `labs/`. */
    lab: reference('labs'),
  }),
});

/** What the pages need of each `labs/<id>/lab.yaml`; the server validates the rest, strictly. */
const labs = defineCollection({
  loader: glob({
    pattern: '*/lab.yaml',
    base: './labs',
    generateId: ({ entry }) => entry.slice(0, entry.indexOf('/')),
  }),
  schema: z.object({
    id: z.string(),
    title: z.string(),
    minutes: z.number().int().positive(),
    checks: z.array(z.object({ id: z.string(), title: z.string(), points: z.number().int() })),
  }),
});

export const collections = { lessons, labs };
