import { z } from 'zod';
import type { CheckKind } from '../check-kind.ts';
import { readLabFile } from '../dockerfile.ts';
import { relativePath } from '../parameters.ts';

const schema = z
  .strictObject({
    path: relativePath.describe('The file, relative to the lab folder.'),
    contains: z.array(z.string().min(1)).default([]).describe('Texts that it holds; capitals do not count.'),
    minWords: z.int().min(1).max(1000).optional().describe('Least number of words, headings left out.'),
  })
  .refine(
    ({ contains, minWords }) => contains.length > 0 || minWords !== undefined,
    'name at least one of contains and minWords',
  );

/** For what the learner writes in words. That it is there and speaks of the right things shows; not whether it is good. */
export const labFile: CheckKind<z.output<typeof schema>> = {
  name: 'lab-file',
  summary: 'A file of the lab folder has certain texts in it, or enough words.',
  docs: {
    looksAt: 'The text of a file of the lab folder: whether it mentions certain words, and how many words it has.',
    example: `path: NOTES.md
contains: [distroless]
minWords: 30`,
    fails: 'Names what it does not mention, or how many words it has and how many more are wanted.',
    limits: 'Whether the text is any good is for a person to say.',
  },
  schema,
  timeoutMs: 20_000,
  async run({ path, contains, minWords }, context) {
    const wanted = [
      ...contains.map((text) => `mentions ${JSON.stringify(text)}`),
      ...(minWords === undefined ? [] : [`has at least ${String(minWords)} words`]),
    ];
    const expected = `${path} ${wanted.join(' and ')}.`;
    const text = await readLabFile(context, path);
    if (text === null)
      return { status: 'fail', expected, actual: `There is no ${path}.`, hint: `Make the file ${path}.` };
    const missing = contains.filter((part) => !text.toLowerCase().includes(part.toLowerCase()));
    const words = countWords(text);
    const short = minWords !== undefined && words < minWords;
    if (missing.length === 0 && !short) return { status: 'pass', expected, actual: 'It does.' };
    const wrong = [
      ...(missing.length > 0 ? [`It does not mention ${missing.map((part) => JSON.stringify(part)).join(', ')}.`] : []),
      ...(short ? [`It has ${String(words)} words.`] : []),
    ];
    return {
      status: 'fail',
      expected,
      actual: wrong.join(' '),
      hint: advise(missing, minWords === undefined ? 0 : minWords - words, path),
    };
  },
};

/** What to do about texts that are missing, and about words that are too few by some. */
function advise(missing: readonly string[], fewer: number, path: string): string {
  const advice: string[] = [];
  if (missing.length > 0)
    advice.push(`Say something about ${missing.map((part) => JSON.stringify(part)).join(' and ')}, spelt like that.`);
  if (fewer > 0)
    advice.push(
      `${String(fewer)} more ${fewer === 1 ? 'word is' : 'words are'} wanted in ${path}; headings do not count. Write it as you would explain it to a colleague.`,
    );
  return advice.join('\n');
}

/** Words of a text in Markdown; a heading is no answer. */
export function countWords(text: string): number {
  const prose = text.replaceAll(/^#.*$/gm, '');
  return prose.match(/[\p{L}\p{N}][\p{L}\p{N}'’-]*/gu)?.length ?? 0;
}
