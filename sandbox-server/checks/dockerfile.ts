import { Add, Copy, DockerfileParser } from 'dockerfile-ast';
import type { Arg } from 'dockerfile-ast';
import { posix } from 'node:path';
import { CheckFailed } from './check-failed.ts';
import type { CheckContext } from './check-kind.ts';
import { readSandboxFile } from './sandbox-file.ts';

export interface Stage {
  /** As BuildKit calls it: the name after AS in lower case, else its number. */
  readonly name: string;
  /** The stage or image after FROM; where it is a variable, what the ARG above all stages gives it. */
  readonly from: string;
  /** Its RUN instructions, without the keyword. */
  readonly runs: readonly string[];
  /** Its COPY and ADD instructions. */
  readonly copies: readonly StageCopy[];
  /** Its last USER; left out where it has none. */
  readonly user?: string;
}

export interface StageCopy {
  /** Stage (in small letters), its number, or image that --from names; "" for the build context. */
  readonly from: string;
  readonly sources: readonly string[];
}

/** The stages of a Dockerfile, in order. Broken lines are passed over: the build is what judges those. */
export function parseStages(text: string): Stage[] {
  const stages: { name: string; from: string; runs: string[]; copies: StageCopy[]; user?: string }[] = [];
  const dockerfile = DockerfileParser.parse(text);
  const values = new Map<string, string>();
  for (const { name, value } of dockerfile.getInitialARGs().flatMap(propertiesOf))
    values.set(name, expand(value, values));
  const named = new Map(dockerfile.getFROMs().map((from) => [from.getRange().start.line, from]));
  for (const instruction of dockerfile.getInstructions()) {
    const from = named.get(instruction.getRange().start.line);
    if (from !== undefined) {
      const name = from.getBuildStage()?.toLowerCase() ?? String(stages.length);
      stages.push({ name, from: expand(from.getImage() ?? '', values), runs: [], copies: [] });
    } else if (instruction.getKeyword() === 'RUN') {
      stages.at(-1)?.runs.push(instruction.toString().replace(/^\s*RUN\s+/i, ''));
    } else if (instruction instanceof Copy || instruction instanceof Add) {
      stages.at(-1)?.copies.push(copyOf(instruction));
    } else if (instruction.getKeyword() === 'USER') {
      const stage = stages.at(-1);
      if (stage !== undefined) stage.user = instruction.getArgumentsContent() ?? '';
    }
  }
  return stages;
}

/** The last stage and those that it is built on, from the last one down; none for a Dockerfile without any. */
export function stagesBelow(stages: readonly Stage[]): Stage[] {
  const chain = stages.slice(-1);
  // A stage can only be built on one before it, so there are no circles.
  for (const stage of stages.slice(0, -1).toReversed())
    if (stage.name === chain.at(-1)?.from.toLowerCase()) chain.push(stage);
  return chain;
}

/** The base image of the last stage, through the stages that it is built on; undefined for a Dockerfile without any. */
export const baseOf = (stages: readonly Stage[]): string | undefined => stagesBelow(stages).at(-1)?.from;

/** Names and defaults of an ARG; those without a default are given from outside, which no check does. */
function propertiesOf(arg: Arg): { readonly name: string; readonly value: string }[] {
  return arg.getProperties().flatMap((property) => {
    const value = property.getValue();
    return value === null ? [] : [{ name: property.getName(), value }];
  });
}

const variable = /\$(?:(\w+)|\{(\w+)(?:(:?)([-+])([^{}]*))?\})/g;

/** A word with its variables and without its quotes; a variable that nothing is known of stays as it is. */
function expand(text: string, values: ReadonlyMap<string, string>): string {
  const replaced = text.replaceAll(variable, (whole, ...groups: (string | undefined)[]) => {
    const [plain, braced, colon = '', operator, word = ''] = groups;
    const value = values.get(plain ?? braced ?? '');
    const isSet = value !== undefined && (value !== '' || colon === '');
    if (operator === '-' && !isSet) return expand(word, values);
    if (operator === '+') return isSet ? expand(word, values) : '';
    return value ?? whole;
  });
  return replaced.replaceAll(/["']/g, '');
}

function copyOf(instruction: Copy | Add): StageCopy {
  // Not getFromFlag, which only looks at the first flag.
  const flag = instruction.getFlags().find((each) => each.getName() === 'from');
  const words = instruction.getArguments().map((argument) => argument.getValue());
  const list = words.join(' ').startsWith('[') ? jsonList(words.join(' ')) : words;
  return { from: flag?.getValue()?.toLowerCase() ?? '', sources: list.slice(0, -1) };
}

/** The exec form of COPY; a broken one is a name like any other to BuildKit, and of no use here. */
function jsonList(text: string): string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.map(String) : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

const maxFileKibibytes = 256;

/**
 * Text of a file of the lab folder in the sandbox, or null when there is none. `path` is relative and the lab author's.
 * @throws CheckFailed for a file past 256 KiB: what stands behind that would not be judged
 * @throws BallastError sandbox_failed when no program can be started to read it, as after a fork bomb
 */
export async function readLabFile(context: CheckContext, path: string): Promise<string | null> {
  const { text, truncated } = await readSandboxFile(context.shell, posix.join(context.labDir, path), {
    timeoutMs: 10_000,
    maxOutputBytes: maxFileKibibytes * 1024,
    signal: context.signal,
  });
  if (truncated) {
    const most = `${String(maxFileKibibytes)} KiB`;
    throw new CheckFailed({
      expected: `${path} is short enough to be read: at most ${most}.`,
      actual: `${path} is longer than ${most}.`,
      hint: `Shorten it: "wc -c ${path}" says how long it is. None of it was judged.`,
    });
  }
  return text;
}

/** What the build of one stage is made of. */
export interface StageText {
  /** All that stands before the first FROM, the stage, and those stages that it takes from, in order. */
  readonly text: string;
  /** Names of all stages, in order. */
  readonly names: readonly string[];
  /** Images that it begins or copies from, each once. */
  readonly images: readonly string[];
}

/**
 * The part of a Dockerfile that the build of a stage goes by.
 * @param target name of the stage; the last one when left out
 * @returns undefined when there is no such stage, or when a variable decides what it takes from
 */
export function stageText(text: string, target?: string): StageText | undefined {
  const found = stagesTaken(text, target);
  if (found === undefined) return undefined;
  const { head, stages, taken, images } = found;
  const parts = stages.flatMap(({ text: part }, index) => (taken.has(index) ? [part] : []));
  return { text: [...head, ...parts].join('\n'), names: stages.map(({ name }) => name), images: [...images] };
}

/**
 * The name of the one stage that has these words in its RUN instructions, where the last stage takes from it: its build
 * tells as much of those steps as the build of the image does.
 * @returns undefined when they are in several, in none, in one that the image has nothing of or that has no name (BuildKit
 * takes no number for a target), or when it can't be told
 */
export function soleStageWith(text: string, words: readonly string[]): string | undefined {
  const found = stagesTaken(text, undefined);
  if (found === undefined) return undefined;
  const { stages, taken } = found;
  const has = stages.map(({ runs }) => words.map((word) => runs.some((run) => `RUN ${run}`.includes(word))));
  const [index = -1, ...others] = has.flatMap((each, at) => (each.includes(true) ? [at] : []));
  if (others.length > 0 || has[index]?.includes(false) !== false || !taken.has(index)) return undefined;
  const name = stages[index]?.name ?? '';
  return /^\D/.test(name) && stages.filter((stage) => stage.name === name).length === 1 ? name : undefined;
}

/** All stages of a Dockerfile, and which of them the build of one takes from, itself included. */
function stagesTaken(text: string, target: string | undefined) {
  const lines = text.split('\n');
  const starts = DockerfileParser.parse(text)
    .getFROMs()
    .map((from) => from.getRange().start.line);
  const stages = parseStages(text).map((stage, index) => ({
    ...stage,
    text: lines.slice(starts[index], starts[index + 1]).join('\n'),
  }));
  const names = stages.map(({ name }) => name);
  const taken = new Set<number>();
  const images = new Set<string>();
  const pending = [target === undefined ? stages.length - 1 : names.lastIndexOf(target.toLowerCase())];
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    const stage = stages[index];
    if (stage === undefined) return undefined;
    if (taken.has(index)) continue;
    taken.add(index);
    // COPY --from=…, RUN --mount=type=bind,from=…: also where it is only said in a comment, which does no harm.
    const sources = [...stage.text.matchAll(/\bfrom=(["']?)([^\s,"']+)\1/gi)].map(([, , name = '']) => name);
    for (const source of [stage.from, ...sources]) {
      if (source.includes('$')) return undefined;
      const above = names.lastIndexOf(source.toLowerCase(), index - 1);
      const numbered = /^\d+$/.test(source) && source !== stage.from ? Number(source) : -1;
      if (index > 0 && above >= 0) pending.push(above);
      else if (numbered >= 0 && numbered < index) pending.push(numbered);
      else if (source !== 'scratch') images.add(source);
    }
  }
  return { head: lines.slice(0, starts[0]), stages, taken, images };
}
