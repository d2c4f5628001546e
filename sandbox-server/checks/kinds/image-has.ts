import { z } from 'zod';
import { resolvePath } from '../../images/merged-view.ts';
import type { ImageContents } from '../../images/image-reader.ts';
import type { CheckKind } from '../check-kind.ts';
import { compileGlob } from '../glob.ts';
import { imageParameter, pathPattern } from '../parameters.ts';
import { findTool, toolNames, tools } from '../tools.ts';
import { whyMissing, whyNoPackage, whyNoTool } from '../why-missing.ts';

const schema = z
  .strictObject({
    image: imageParameter,
    paths: z
      .array(pathPattern)
      .default([])
      .describe('Globs, each of which at least one file or folder matches: "app/config.json".'),
    tools: z.array(z.enum(tools)).default([]).describe('Kinds of programs, at least one of each.'),
    packages: z.array(z.string().min(1)).default([]).describe('Names of packages, of whatever package system.'),
  })
  .refine(
    ({ paths, tools: named, packages }) => paths.length + named.length + packages.length > 0,
    'name at least one of paths, tools and packages',
  );
type Parameters = z.output<typeof schema>;

/** Looks at what a container sees: what a later layer deletes is not there. */
export const imageHas: CheckKind<Parameters> = {
  name: 'image-has',
  summary: 'Certain files, programs or packages are in the image, as a container sees it.',
  docs: {
    looksAt:
      'The merged view, as a container sees it: files by glob, programs by name, packages by what package databases, Go build information, dist-info and package.json say.',
    example: `image: greeter
paths: [app/config.json]
tools: [interpreter]`,
    fails:
      'Names what is missing. The hint says which layer has it and which one deletes it, or where a file of that name lies instead.',
    limits: 'A program is told by its name and its mode: one that was renamed is not found.',
  },
  schema,
  timeoutMs: 180_000,
  async run(parameters, { images, signal }) {
    const contents = await images.read(parameters.image, signal);
    const wanted = [
      ...parameters.paths.map((path) => `/${path}`),
      ...parameters.tools.map((tool) => toolNames[tool]),
      ...parameters.packages.map((name) => `the package ${name}`),
    ];
    const expected = `A container of ${parameters.image} sees ${wanted.join(', ')}.`;
    const missing = missingFrom(contents, parameters);
    if (missing.length === 0) return { status: 'pass', expected, actual: 'All of it is there.' };
    const why = missing.flatMap(({ why: reason }) => reason ?? []);
    return {
      status: 'fail',
      expected,
      actual: `Not there: ${missing.map(({ words }) => words).join(', ')}.`,
      hint:
        why.length > 0
          ? [...new Set(why)].slice(0, mostReasons).join('\n')
          : 'Only what the last stage itself has or copies is in the image: look at its FROM, its COPY lines and .dockerignore.',
    };
  },
};

const mostReasons = 3;

interface Missing {
  readonly words: string;
  /** What the layers tell of it, in a sentence. */
  readonly why: string | undefined;
}

/** What is asked for and not there. */
function missingFrom(
  contents: Pick<ImageContents, 'merged' | 'packages' | 'layers'>,
  { paths, tools: named, packages }: Pick<Parameters, 'paths' | 'tools' | 'packages'>,
): Missing[] {
  const entries = [...contents.merged.values()].map(({ entry }) => entry);
  const names = new Set(contents.packages.map(({ name }) => name));
  const isThere = (path: string): boolean => {
    // By its name through links as well: /bin/sh is there also where /bin is a link to /usr/bin.
    if (resolvePath(contents.merged, path) !== undefined) return true;
    const glob = compileGlob(path);
    return entries.some((entry) => glob.test(entry.path));
  };
  return [
    ...paths.filter((path) => !isThere(path)).map((path) => ({ words: `/${path}`, why: whyMissing(contents, path) })),
    ...named
      .filter((tool) => findTool(tool, entries).length === 0)
      .map((tool) => ({ words: toolNames[tool], why: whyNoTool(contents, tool) })),
    ...packages
      .filter((name) => !names.has(name))
      .map((name) => ({ words: `the package ${name}`, why: whyNoPackage(contents, name) })),
  ];
}
