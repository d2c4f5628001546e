import { z } from 'zod';
import type { ImageContents } from '../../images/image-reader.ts';
import { formatBytes } from '../../labs/quantities.ts';
import type { CheckKind } from '../check-kind.ts';
import { shortInstruction } from '../folder-sizes.ts';
import { compileGlob } from '../glob.ts';
import { capitalize, hiddenBy, layerOrigin, layerWords, originOf } from '../image-origin.ts';
import type { ImageOrigin, LayerOrigin } from '../image-origin.ts';
import { imageParameter, pathPattern } from '../parameters.ts';
import { findTool, toolNames, tools } from '../tools.ts';
import type { Found, Tool } from '../tools.ts';

const schema = z
  .strictObject({
    image: imageParameter,
    tools: z.array(z.enum(tools)).default([]).describe('Kinds of programs that must not be there.'),
    paths: z.array(pathPattern).default([]).describe('Globs of files that must not be there, such as "**/*_test.go".'),
    except: z.array(pathPattern).default([]).describe('Globs of files that `paths` does not mean.'),
    packages: z.array(z.string().min(1)).default([]).describe('Names of packages that no layer may list.'),
  })
  .refine(
    ({ tools: named, paths, packages }) => named.length + paths.length + packages.length > 0,
    'name at least one of tools, paths and packages',
  );
type Parameters = z.output<typeof schema>;

/** Looks into every layer, not just at what a container sees: a file deleted in a later layer is still shipped. */
export const imageLacks: CheckKind<Parameters> = {
  name: 'image-lacks',
  summary: 'Certain programs or files are in no layer of the image.',
  docs: {
    looksAt: 'Every layer, also what a later layer deletes: whoever has the image has all of its layers.',
    example: `image: greeter
tools: [go-toolchain, compiler, package-manager, shell]
paths: ['**/*.go', '**/.git/**']`,
    fails:
      'Names the largest finds with their size, the layer and its instruction, and says when a find is deleted later and yet shipped. The hint goes by where it comes from: the base image, a COPY from a stage or from the build context, a RUN; or names the instruction that deletes it too late.',
    limits: 'Programs are told by their names.',
  },
  schema,
  timeoutMs: 180_000,
  async run(parameters, context) {
    const { images, signal } = context;
    const contents = await images.read(parameters.image, signal);
    const unwanted: string[] = parameters.tools.map((tool) => toolNames[tool]);
    if (parameters.paths.length > 0) unwanted.push(`files like ${parameters.paths.join(', ')}`);
    unwanted.push(...parameters.packages.map((name) => `the package ${name}`));
    const expected = `No layer of ${parameters.image} holds ${listed(unwanted, 'or')}.`;
    const findings = search(contents, parameters);
    if (findings.length === 0) return { status: 'pass', expected, actual: 'None was found in any layer.' };
    const hint = advise(findings, contents, await originOf(context, parameters.image, contents));
    return { status: 'fail', expected, actual: describe(findings, contents), hint };
  },
};

export interface Finding {
  readonly what: Tool | 'path' | 'package';
  readonly layer: number;
  readonly found: readonly Found[];
  /** Whether a container still sees any of it. */
  readonly visible: boolean;
}

/** All that should not be there: one finding for each tool, or for the paths, and layer; in the order asked for. */
export function search(
  contents: Pick<ImageContents, 'layers' | 'merged'>,
  parameters: Pick<Parameters, 'tools' | 'paths' | 'except'> & Partial<Pick<Parameters, 'packages'>>,
): Finding[] {
  const globs = parameters.paths.map(compileGlob);
  const exceptions = parameters.except.map(compileGlob);
  const matches = (path: string): boolean =>
    globs.some((glob) => glob.test(path)) && !exceptions.some((glob) => glob.test(path));
  const shown = visibleFolders(contents.merged);
  const findings = contents.layers.flatMap((layer, index) => {
    const perTool = parameters.tools.map((tool) => ({ what: tool, found: findTool(tool, layer.entries) }));
    // A toolchain is named as a whole, not also by each of its thousands of sources.
    const roots = perTool.filter(({ what }) => what === 'go-toolchain').flatMap(({ found }) => found);
    const named = (path: string): boolean => roots.some((root) => path.startsWith(`${root.path}/`));
    const byPath = layer.entries.filter(({ type, path }) => type !== 'directory' && matches(path) && !named(path));
    const byTool = perTool.map(({ what, found }) => ({
      what,
      found: what === 'go-toolchain' ? found : found.filter(({ path }) => !named(path)),
    }));
    const listed = layer.packages
      .filter(({ name }) => parameters.packages?.includes(name) === true)
      .map(({ name, version, path }) => {
        const label = `${name} ${version} in /${path}`;
        return { path, name: `the package ${name}`, label, sizeBytes: 0 };
      });
    return [...byTool, { what: 'path' as const, found: byPath }, { what: 'package' as const, found: listed }]
      .filter(({ found }) => found.length > 0)
      .map(({ what, found }) => ({ what, found, layer: index, visible: found.some(({ path }) => shown.has(path)) }));
  });
  const rank = ({ what }: Finding): number =>
    what === 'path' || what === 'package' ? parameters.tools.length : parameters.tools.indexOf(what);
  return findings.toSorted((a, b) => rank(a) - rank(b));
}

/** Paths that a container sees, with every folder above them, whether or not a layer names it. */
function visibleFolders(merged: ImageContents['merged']): ReadonlySet<string> {
  const paths = new Set<string>();
  for (const path of merged.keys()) {
    for (let end = path.length; end > 0 && !paths.has(path.slice(0, end)); end = path.lastIndexOf('/', end - 1)) {
      paths.add(path.slice(0, end));
    }
  }
  return paths;
}

const namedFiles = 3;

function describe(findings: readonly Finding[], { layers }: Pick<ImageContents, 'layers'>): string {
  return findings
    .map(({ what, found, layer, visible }) => {
      const largest = found.toSorted((a, b) => b.sizeBytes - a.sizeBytes || a.path.length - b.path.length);
      const names = largest
        .slice(0, namedFiles)
        .map(
          ({ path, label, sizeBytes }) =>
            label ?? (sizeBytes > 0 ? `/${path} (${formatBytes(sizeBytes)})` : `/${path}`),
        );
      const more = found.length > namedFiles ? ` and ${String(found.length - namedFiles)} more` : '';
      const label = what === 'path' ? 'Files' : what === 'package' ? 'Packages' : capitalize(toolNames[what]);
      const by = shortInstruction(layers[layer]?.createdBy ?? '');
      const gone = visible ? '' : '; deleted later, yet still in the image';
      return `${label}: ${names.join(', ')}${more}, in layer ${String(layer + 1)} of ${String(layers.length)} (${by})${gone}.`;
    })
    .join('\n');
}

/** What to do about the finds, a sentence or two on each place that they come from; of these the first few. */
export function advise(
  findings: readonly Finding[],
  contents: Pick<ImageContents, 'layers'>,
  origin: ImageOrigin,
): string {
  const shown = findings.filter(({ visible }) => visible);
  const advice = [...Map.groupBy(shown, ({ layer }) => layer)].map(([layer, group]) =>
    adviseOn(group, layerOrigin(contents, layer, origin)),
  );
  const hidden = findings.find(({ visible }) => !visible);
  if (hidden !== undefined) advice.push(adviseOnHidden(hidden, contents));
  return [...new Set(advice)].slice(0, mostAdvice).join('\n');
}

const mostAdvice = 3;

function adviseOn(group: readonly Finding[], by: LayerOrigin): string {
  const go = group.find(({ what }) => what === 'go-toolchain')?.found[0];
  const things = go === undefined ? few(group) : `/${go.path} (${formatBytes(go.sizeBytes)})`;
  if (go !== undefined && by.kind === 'base')
    return `The final stage contains ${things}: its FROM is an image made for building. Begin a new stage from a small base and copy only the binary into it.`;
  if (go !== undefined && by.kind === 'copy')
    return `The final stage copies ${things} from "${by.from}". Copy only the binary: a compiled service needs no compiler.`;
  switch (by.kind) {
    case 'base':
      return `${capitalize(by.words)} brings ${things} along. Begin the last stage from a smaller one: "scratch" has nothing at all, a distroless "static" image only certificates, time zones and users.`;
    case 'copy':
      return `${capitalize(by.words)} takes ${things} from "${by.from}". Copy by name only what the service needs, and no whole folders.`;
    case 'context':
      return `${capitalize(by.words)} takes ${things} from the build context. Copy just the binary into the final stage, with COPY --from=build, or name in .dockerignore what is to stay out.`;
    case 'run':
      return `${capitalize(by.words)} brings ${things}. Do that in the build stage, and COPY --from it only what the service needs.`;
    case 'unknown':
      return `${capitalize(by.words)} brings ${things}. Leave it out of the last stage.`;
  }
}

function adviseOnHidden({ layer, found }: Finding, contents: Pick<ImageContents, 'layers'>): string {
  const path = found[0]?.path ?? '';
  const by = hiddenBy(contents, layer, path);
  const what = by === undefined ? 'Deleting a file in a later layer' : capitalize(layerWords(contents, by));
  const made = shortInstruction(contents.layers[layer]?.createdBy ?? '').startsWith('RUN ');
  const or = made ? ', or delete it in the RUN that makes it' : '';
  return `${what} only hides it: layer ${String(layer + 1)} still ships /${path}. Start a new stage and COPY --from what the service needs${or}.`;
}

/** The first of what was found, by name. */
function few(group: readonly Finding[]): string {
  const names = group.flatMap(({ found }) => found.map(({ path, name }) => name ?? `/${path}`));
  return names.length > 1 ? `${names[0] ?? ''} and ${String(names.length - 1)} more` : names.join('');
}

function listed(items: readonly string[], word: string): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1) ?? ''}`;
}
