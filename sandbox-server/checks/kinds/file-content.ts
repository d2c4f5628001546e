import { z } from 'zod';
import { resolvePath } from '../../images/merged-view.ts';
import { normalizePath } from '../../images/paths.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { readImageFile } from '../image-file.ts';
import { imageParameter } from '../parameters.ts';
import { findProgram } from '../started-programs.ts';
import { whyMissing } from '../why-missing.ts';

const schema = z
  .strictObject({
    image: imageParameter,
    path: z
      .string()
      .regex(/^\/[^/]/, 'a path in the image begins with "/"')
      .describe('The file, by its path in the image.'),
    equals: z.string().optional().describe('The whole text, but for white space at the ends.'),
    contains: z.array(z.string().min(1)).default([]).describe('Texts that the file holds.'),
    lacks: z.array(z.string().min(1)).default([]).describe('Texts that it does not hold.'),
  })
  .refine(
    ({ equals, contains, lacks }) => equals !== undefined || contains.length + lacks.length > 0,
    'name at least one of equals, contains and lacks',
  );
type Parameters = z.output<typeof schema>;

/** Reads the file as a container sees it, without starting anything of the image. */
export const fileContent: CheckKind<Parameters> = {
  name: 'file-content',
  summary: 'A file in the image holds certain text.',
  docs: {
    looksAt:
      'The text of one file of up to 4 MiB as a container sees it, links followed. Nothing of the image is started.',
    example: `image: greeter
path: /app/config.txt
contains: [mode=production]`,
    fails:
      'Says which text is missing or should not be there, or that there is no such file, or a folder. The hint says where a file of that name lies, or which layer deletes it.',
  },
  schema,
  timeoutMs: 180_000,
  async run(parameters, context) {
    const { image, path, equals, contains, lacks } = parameters;
    const wanted = [
      ...(equals === undefined ? [] : [`is ${JSON.stringify(equals.trim())}`]),
      ...contains.map((text) => `holds ${JSON.stringify(text)}`),
      ...lacks.map((text) => `does not hold ${JSON.stringify(text)}`),
    ];
    const expected = `${path} in ${image} ${wanted.join(' and ')}.`;
    const text = await readImageFile(context, image, path);
    if (text === null) return { status: 'fail', expected, ...(await missing(path, context, image)) };
    const wrong = judgeText(text, parameters);
    if (wrong === undefined) return { status: 'pass', expected, actual: 'It does.' };
    return { status: 'fail', expected, actual: wrong, hint: await howToLook(image, path, context) };
  },
};

/** What there is instead of the file, or who deletes it. */
async function missing(
  path: string,
  { images, signal }: CheckContext,
  image: string,
): Promise<{ readonly actual: string; readonly hint: string }> {
  const contents = await images.read(image, signal);
  const relative = normalizePath(path);
  const found = resolvePath(contents.merged, relative);
  const isFolder =
    (found !== undefined && contents.merged.get(found)?.entry.type === 'directory') ||
    [...contents.merged.keys()].some((each) => each.startsWith(`${found ?? relative}/`));
  if (isFolder)
    return {
      actual: `${path} is a folder in the image, and no file.`,
      hint: 'A COPY whose target ends in "/", or is a folder already, puts the file into it: name the file itself.',
    };
  const hint = whyMissing(contents, relative) ?? 'Copy it into the last stage, and compare the path.';
  return { actual: `There is no file ${path} in the image.`, hint };
}

/** How to look at the file in the terminal: with cat where a container has one. */
async function howToLook(image: string, path: string, { images, signal }: CheckContext): Promise<string> {
  const cat = findProgram(await images.read(image, signal), 'cat');
  return cat === undefined
    ? `Look at it; the image has no cat: docker create --name look ${image} x, docker cp look:${path} - | tar -xO, docker rm look.`
    : `Look at it: docker run --rm --entrypoint cat ${image} ${path}`;
}

/** What is wrong with the text of a file, or undefined. */
export function judgeText(
  text: string,
  { equals, contains, lacks }: Pick<Parameters, 'equals' | 'contains' | 'lacks'>,
): string | undefined {
  const start = text.trim() === '' ? 'It is empty.' : `It begins:\n${text.slice(0, 200)}`;
  if (equals !== undefined && text.trim() !== equals.trim()) return start;
  const missing = contains.find((part) => !text.includes(part));
  if (missing !== undefined) return `It does not hold ${JSON.stringify(missing)}. ${start}`;
  const unwanted = lacks.find((part) => text.includes(part));
  return unwanted === undefined ? undefined : `It holds ${JSON.stringify(unwanted)}.`;
}
