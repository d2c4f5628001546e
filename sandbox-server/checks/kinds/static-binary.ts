import { posix } from 'node:path';
import { z } from 'zod';
import type { ImageContents, LayerEntry } from '../../images/image-reader.ts';
import { resolvePath } from '../../images/merged-view.ts';
import type { CheckKind } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';

const schema = z.strictObject({
  image: imageParameter,
  path: z
    .string()
    .startsWith('/')
    .optional()
    .describe('The program, by its path in the image; what the image starts when left out.'),
});

/** Static means that the program asks for no loader and no library, whether or not it is position-independent. */
export const staticBinary: CheckKind<z.output<typeof schema>> = {
  name: 'static-binary',
  summary: 'A program of the image, by default the one that it starts, is linked statically.',
  docs: {
    looksAt:
      'The ELF headers of the program that the image starts, links followed: static means no PT_INTERP and no DT_NEEDED.',
    example: `image: greeter
path: /greeter`,
    fails:
      'Says which loader the program asks for or that it names libraries, or that it is a script. The hint names the switch of Go, C and Rust.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image, path }, { images, signal }) {
    const contents = await images.read(image, signal);
    const expected = `${path ?? `The program that ${image} starts`} is linked statically.`;
    const program = findProgram(contents, path);
    if ('problem' in program) return { status: 'fail', expected, actual: program.problem, hint: program.hint };
    const { path: found, elf } = program.entry;
    if (elf === undefined) {
      return {
        status: 'fail',
        expected,
        actual: `/${found} is no ELF program: it is a script, or something else that needs an interpreter.`,
        hint: 'Start the compiled program itself: ENTRYPOINT ["/path"].',
      };
    }
    if (elf.linkage === 'static')
      return { status: 'pass', expected, actual: `/${found} needs no loader and no library.` };
    const asks = elf.interpreter === '' ? 'names libraries' : `asks for the loader ${elf.interpreter}`;
    return {
      status: 'fail',
      expected,
      actual:
        elf.linkage === 'unknown'
          ? `/${found} has ELF headers that make no sense.`
          : `/${found} is linked dynamically: it ${asks}.`,
      hint: 'In Go build with CGO_ENABLED=0; in C with -static; in Rust for a musl target. An image from scratch has neither loader nor libraries.',
    };
  },
};

type Program = { readonly entry: LayerEntry } | { readonly problem: string; readonly hint: string };

/** The program at a path, or the one that the image starts, links followed as a container follows them. */
export function findProgram({ config, merged }: Pick<ImageContents, 'config' | 'merged'>, path?: string): Program {
  const name = path ?? config.entrypoint[0] ?? config.cmd[0];
  if (name === undefined)
    return { problem: 'The image says nothing about what to run.', hint: 'Set ENTRYPOINT in the last stage.' };
  const folders = name.includes('/') ? [config.workingDir] : searchPath(config.env);
  for (const folder of folders) {
    const resolved = resolvePath(merged, posix.resolve('/', folder, name));
    const entry = resolved === undefined ? undefined : merged.get(resolved)?.entry;
    if (entry?.type === 'hardlink') return findProgram({ config, merged }, `/${entry.linkTarget ?? ''}`);
    if (entry?.type === 'file') return { entry };
  }
  return {
    problem: `There is no ${name} in the image.`,
    hint: 'Compare ENTRYPOINT with where COPY --from puts the program.',
  };
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const searchPath = (env: readonly string[]): string[] =>
  (env.find((line) => line.startsWith('PATH='))?.slice('PATH='.length) ?? defaultPath).split(':');
