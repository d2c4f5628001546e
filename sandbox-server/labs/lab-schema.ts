import { z } from 'zod';
import { labId } from '../protocol/index.ts';
import { byteSize } from './quantities.ts';

const line = z.string().trim().min(1);
const checkId = z.string().regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'a check id is kebab-case');

/** One check of a lab, before its `with` has been judged by its kind. */
export const labCheckSchema = z.strictObject({
  id: checkId.max(64).describe('Unique in the lab; progress is kept under it.'),
  title: line.max(80).describe('What the learner is to reach, in a few words.'),
  points: z.int().min(0).max(1000).describe('What passing it is worth.'),
  kind: line.describe('The kind of check; one file each in sandbox-server/checks/kinds/.'),
  with: z.record(z.string(), z.unknown()).default({}).describe('Parameters of the kind.'),
  hint: line.optional().describe("Said after the kind's own hint when the check fails: where in the lesson to look."),
  needs: z.array(checkId).default([]).describe('Checks that must pass first; otherwise this one is skipped.'),
});

/** lab.yaml. Strict: an unknown key is an error, so a typo is never silently ignored. */
export const labSchema = z.strictObject({
  id: labId.describe("Same as the folder's name."),
  title: line.max(80),
  lesson: line.describe('Slug of the lesson that this lab belongs to: /lessons/<slug>/.'),
  summary: line.max(300).describe('One or two sentences for lists.'),
  difficulty: z.enum(['beginner', 'intermediate', 'advanced']),
  minutes: z.int().min(1).max(480).describe('How long a learner is likely to need.'),
  images: z.array(line).describe('Base images that are in the sandbox, as written after FROM.'),
  network: z
    .enum(['none', 'packages'])
    .default('none')
    .describe('"none": no network at all; "packages": package mirrors only.'),
  terminals: z.int().min(1).max(8).default(4).describe('Most terminals open at once.'),
  limits: z
    .strictObject({
      memory: byteSize.optional().describe('Such as "2 GiB"; the server\'s setting when left out.'),
      cpus: z.number().positive().max(64).optional(),
      pids: z.int().min(64).max(32_768).optional(),
    })
    .default({})
    .describe("The sandbox's limits, where this lab needs other ones than the server's."),
  protected: z
    .array(line)
    .default([])
    .describe('Files of start/ that are no part of an answer: put back as they were before a submission is graded.'),
  checks: z.array(labCheckSchema).min(1),
});
export type LabFile = z.output<typeof labSchema>;
export type LabCheck = LabFile['checks'][number];

/** wrong/<case>/case.yaml: a mistake that a check must catch. */
export const wrongCaseSchema = z.strictObject({
  title: line.describe('The mistake, in words.'),
  caughtBy: z.array(checkId).min(1).describe('Exactly the checks that fail.'),
  remove: z.array(line).default([]).describe('Files of the solution that this case lacks.'),
});

/** A learner's mistake kept as a test: the solution with some files replaced. */
export interface WrongCase {
  readonly name: string;
  readonly title: string;
  readonly dir: string;
  readonly caughtBy: readonly string[];
  readonly remove: readonly string[];
}

/** A lab, loaded and valid. Directories are absolute paths on the server. */
export interface Lab extends Readonly<LabFile> {
  readonly dir: string;
  /** The files a learner is given. */
  readonly startDir: string;
  /** The complete files of a good answer. */
  readonly solutionDir: string;
  readonly wrongCases: readonly WrongCase[];
}

/** What the loader needs to know of the kinds of checks: their names and the shape of their `with`. */
export type CheckSchemas = ReadonlyMap<string, { readonly schema: z.ZodType }>;
