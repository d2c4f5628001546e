import { Add, Copy, DockerfileParser } from 'dockerfile-ast';
import { posix } from 'node:path';
import type { CheckContext } from './check-kind.ts';

export interface Stage {
  /** As BuildKit calls it: the name after AS in lower case, else its number. */
  readonly name: string;
  /** What stands after FROM. */
  readonly from: string;
  /** Its RUN instructions, without the keyword. */
  readonly runs: readonly string[];
  /** Its COPY and ADD instructions. */
  readonly copies: readonly StageCopy[];
}

export interface StageCopy {
  /** Stage (in small letters), its number, or image that --from names; "" for the build context. */
  readonly from: string;
  readonly sources: readonly string[];
}

/** The stages of a Dockerfile, in order. Broken lines are passed over: the build is what judges those. */
export function parseStages(text: string): Stage[] {
  const stages: { name: string; from: string; runs: string[]; copies: StageCopy[] }[] = [];
  const dockerfile = DockerfileParser.parse(text);
  const named = new Map(dockerfile.getFROMs().map((from) => [from.getRange().start.line, from]));
  for (const instruction of dockerfile.getInstructions()) {
    const from = named.get(instruction.getRange().start.line);
    if (from !== undefined) {
      const name = from.getBuildStage()?.toLowerCase() ?? String(stages.length);
      stages.push({ name, from: from.getImage() ?? '', runs: [], copies: [] });
    } else if (instruction.getKeyword() === 'RUN') {
      stages.at(-1)?.runs.push(instruction.toString().replace(/^\s*RUN\s+/i, ''));
    } else if (instruction instanceof Copy || instruction instanceof Add) {
      stages.at(-1)?.copies.push(copyOf(instruction));
    }
  }
  return stages;
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

const maxDockerfileBytes = 256 * 1024;

/** Text of a file of the lab folder in the sandbox, or null when there is none. `path` is relative and the lab author's. */
export async function readLabFile(context: CheckContext, path: string): Promise<string | null> {
  const file = posix.join(context.labDir, path);
  const result = await context.shell.run(['/usr/bin/cat', '--', file], {
    timeoutMs: 10_000,
    maxOutputBytes: maxDockerfileBytes,
    signal: context.signal,
  });
  return result.exitCode === 0 ? result.stdout : null;
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
  const lines = text.split('\n');
  const starts = DockerfileParser.parse(text)
    .getFROMs()
    .map((from) => from.getRange().start.line);
  const stages = parseStages(text).map(({ name, from }, index) => ({
    name,
    from,
    text: lines.slice(starts[index], starts[index + 1]).join('\n'),
  }));
  const names = stages.map(({ name }) => name);
  const wanted = new Set<number>();
  const images = new Set<string>();
  const pending = [target === undefined ? stages.length - 1 : names.lastIndexOf(target.toLowerCase())];
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    const stage = stages[index];
    if (stage === undefined) return undefined;
    if (wanted.has(index)) continue;
    wanted.add(index);
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
  const parts = [...wanted].toSorted((a, b) => a - b).map((index) => stages[index]?.text ?? '');
  return { text: [...lines.slice(0, starts[0]), ...parts].join('\n'), names, images: [...images] };
}
