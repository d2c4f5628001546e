import { file, glob } from 'astro/loaders';
import { z } from 'astro/zod';
import { defineCollection, reference } from 'astro:content';

/** Pages that teach. Keys that are not listed are refused, so that a misspelt one is seen. */
const lessons = defineCollection({
  loader: glob({ pattern: '*.mdx', base: './src/content/lessons' }),
  schema: z.strictObject({
    title: z.string().min(1).max(60),
    /** Place in the list of lessons, from 1; of a track, its place among the tracks. */
    order: z.number().int().positive(),
    /** Language of a track, such as "Python". Tracks stand in a list of their own, after the lessons. */
    track: z.string().min(1).optional(),
    /** The capstone stands between the lessons and the tracks. */
    capstone: z.boolean().default(false),
    /** One or two sentences, for the home page and search engines. */
    summary: z.string().min(1).max(200),
    /** How long the lesson takes with its lab, roughly. */
    minutes: z.number().int().positive(),
    /** The lab beside it: a folder of `labs/`. */
    lab: reference('labs'),
    /** Labs of this lesson that have a page of their own. */
    moreLabs: z.array(reference('labs')).default([]),
    /** Headings of steps that checks of the lab complete, with the ids of those checks. */
    stepChecks: z.record(z.string(), z.array(z.string()).min(1)).default({}),
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
    summary: z.string(),
    minutes: z.number().int().positive(),
    network: z.enum(['none', 'packages']).default('none'),
    checks: z.array(z.object({ id: z.string(), title: z.string(), points: z.number().int() })),
  }),
});

/** Words of the trade, for hover definitions and the glossary page. */
const glossary = defineCollection({
  loader: file('src/content/glossary/terms.yaml'),
  schema: z.strictObject({
    /** As a heading: "build context". */
    term: z.string().min(1),
    /** One to three sentences of plain text, with `code` between backticks. */
    definition: z.string().min(1).max(320),
    /** Where it is defined by those who made it. */
    source: z.url().optional(),
  }),
});

/** For those who teach a lesson: one file each, named as the lesson. */
const guides = defineCollection({
  loader: glob({ pattern: '*.mdx', base: './src/content/guides' }),
  schema: z.strictObject({
    lesson: reference('lessons'),
    /** How long it takes with a class, with talk and questions. */
    minutes: z.number().int().positive(),
    /** Shares of those minutes, in order. */
    timing: z.array(z.strictObject({ part: z.string().min(1), minutes: z.number().int().positive() })).min(1),
  }),
});

export const collections = { lessons, labs, glossary, guides };
