import { posix } from 'node:path';
import { z } from 'zod';
import type { CheckKind } from '../check-kind.ts';
import { baseOf, parseStages, readLabFile } from '../dockerfile.ts';
import type { Stage } from '../dockerfile.ts';
import { compileGlob } from '../glob.ts';
import { contextParameter, dockerfileParameter, stageParameter } from '../parameters.ts';

const schema = z.strictObject({
  context: contextParameter,
  dockerfile: dockerfileParameter,
  min: z.int().min(1).optional().describe('Least number of stages.'),
  max: z.int().min(1).optional().describe('Largest number of stages.'),
  named: z.array(stageParameter).default([]).describe('Stages that there must be, by name.'),
  copies: z
    .array(
      z.strictObject({
        from: stageParameter.describe('Stage or image that COPY --from names.'),
        to: stageParameter.optional().describe('Stage that copies; the last one when left out.'),
        path: z
          .string()
          .min(1)
          .optional()
          .describe('Glob that one of the copied paths matches, without a leading slash.'),
      }),
    )
    .default([])
    .describe('What a stage must copy from another.'),
  finalFrom: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'Base images of which the last stage begins from one: "scratch", "gcr.io/distroless/*". Stages that are built on other stages are followed down.',
    ),
});
type Parameters = z.output<typeof schema>;

interface Wrong {
  readonly actual: string;
  readonly hint: string;
}

/** Judges the Dockerfile as it is parsed, not how it is written: comments, case and here-documents do not matter. */
export const stages: CheckKind<Parameters> = {
  name: 'stages',
  summary: 'The Dockerfile has certain stages, copies between them, and a last stage from a certain base image.',
  docs: {
    looksAt:
      'The Dockerfile as it is parsed: comments, case and here-documents do not matter. A variable after FROM has the value that its ARG gives it.',
    example: `min: 2
named: [build]
copies:
  - from: build
    path: out/greeter
finalFrom: [scratch, 'gcr.io/distroless/*']`,
    fails:
      'Says how many stages there are and how they are called, what a stage copies instead, or what the last one begins from.',
  },
  schema,
  timeoutMs: 20_000,
  async run(parameters, context) {
    const { context: folder, dockerfile } = parameters;
    const expected = `The Dockerfile has ${describe(parameters).join(', ')}.`;
    const text = await readLabFile(context, posix.join(folder, dockerfile));
    if (text === null) {
      const hint = 'It must lie at the top of the lab folder.';
      return { status: 'fail', expected, actual: `There is no ${dockerfile}.`, hint };
    }
    const found = parseStages(text);
    const wrong = judgeShape(found, parameters);
    if (wrong !== undefined) return { status: 'fail', expected, ...wrong };
    return { status: 'pass', expected, actual: `It has ${counted(found.length)}: ${found.map(nameOf).join(', ')}.` };
  },
};

function describe({ min, max, named, copies, finalFrom }: Parameters): string[] {
  const parts: string[] = [];
  if (min !== undefined) parts.push(`at least ${counted(min)}`);
  if (max !== undefined) parts.push(`at most ${counted(max)}`);
  parts.push(...named.map((name) => `a stage "${name}"`));
  parts.push(
    ...copies.map(
      ({ from, to, path }) =>
        `a copy of ${path ?? 'something'} from "${from}" in ${to === undefined ? 'the last stage' : `"${to}"`}`,
    ),
  );
  if (finalFrom !== undefined) parts.push(`a last stage from ${finalFrom.join(' or ')}`);
  return parts;
}

/** What is wrong with the stages, if anything: the first thing that is. */
export function judgeShape(
  found: readonly Stage[],
  parameters: Omit<Parameters, 'context' | 'dockerfile'>,
): Wrong | undefined {
  const { min, max, named, copies, finalFrom } = parameters;
  const has = `It has ${counted(found.length)}${found.length === 0 ? '' : `: ${found.map(nameOf).join(', ')}`}.`;
  if (min !== undefined && found.length < min)
    return { actual: has, hint: 'Each FROM begins a stage: FROM … AS name.' };
  if (max !== undefined && found.length > max)
    return { actual: has, hint: 'Join stages that do the same work, or take out the ones that nothing needs.' };
  const missing = named.find((name) => !found.some((stage) => stage.name === name));
  if (missing !== undefined) return { actual: has, hint: `Name the stage in its FROM line: FROM … AS ${missing}` };
  for (const wanted of copies) {
    const wrong = judgeCopy(found, wanted);
    if (wrong !== undefined) return wrong;
  }
  if (finalFrom === undefined) return undefined;
  const base = baseOf(found);
  if (base !== undefined && finalFrom.some((pattern) => compileGlob(pattern).test(base))) return undefined;
  return {
    actual: base === undefined ? 'The last stage is from no image.' : `The last stage is from ${base}.`,
    hint: `Begin the last stage with FROM ${finalFrom[0] ?? ''}, and copy into it what it needs.`,
  };
}

function judgeCopy(found: readonly Stage[], { from, to, path }: Parameters['copies'][number]): Wrong | undefined {
  const stage = to === undefined ? found.at(-1) : found.find(({ name }) => name === to);
  const where = to === undefined ? 'The last stage' : `The stage "${to}"`;
  if (stage === undefined)
    return { actual: `There is no stage "${to ?? ''}".`, hint: `Name it: FROM … AS ${to ?? ''}` };
  const index = found.findIndex(({ name }) => name === from);
  const copied = stage.copies.filter((copy) => copy.from === from || (index >= 0 && copy.from === String(index)));
  const all = copied.flatMap(({ sources }) => sources);
  if (copied.length === 0) {
    const others = [...new Set(stage.copies.map((copy) => copy.from).filter((name) => name !== ''))];
    const instead =
      others.length === 0
        ? 'copies nothing from another stage'
        : `copies from ${others.map((name) => `"${name}"`).join(', ')}`;
    return { actual: `${where} ${instead}.`, hint: `Take what it needs from there: COPY --from=${from} /path /path` };
  }
  const glob = path === undefined ? undefined : compileGlob(path);
  if (glob === undefined || all.some((source) => glob.test(source.replace(/^\/+/, '')))) return undefined;
  return {
    actual: `${where} copies ${all.join(', ')} from "${from}", and nothing like /${path ?? ''}.`,
    hint: `Copy by name what the service needs: COPY --from=${from} /${path ?? ''} …`,
  };
}

const counted = (count: number): string => (count === 1 ? '1 stage' : `${String(count)} stages`);
const nameOf = ({ name, from }: Stage): string =>
  /^\d+$/.test(name) ? `one without a name, from ${from}` : `"${name}" from ${from}`;
