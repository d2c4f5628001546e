import { z } from 'zod';
import { executableClass } from '../../images/executables.ts';
import type { ImageContents, LayerEntry } from '../../images/image-reader.ts';
import { resolvePath } from '../../images/merged-view.ts';
import type { CheckKind } from '../check-kind.ts';
import { imageParameter } from '../parameters.ts';
import { findProgram, startedPrograms } from '../started-programs.ts';
import type { Unknown } from '../started-programs.ts';

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
      'The ELF headers of the program that the image starts, links followed: static means no PT_INTERP and no DT_NEEDED. Where that is a shell with a line for one program, or something like env or tini that starts what its arguments name, all of them are judged.',
    example: `image: greeter
path: /greeter`,
    fails:
      "Says which loader the program asks for, whose that is and whether the image has it, or that it names libraries, is a script, or is what a shell makes of a line. The hint names Go's switch where Go built it, and else those of C and Rust.",
    limits: 'Shells and programs that start others are told by their names.',
  },
  schema,
  timeoutMs: 180_000,
  async run({ image, path }, { images, signal }) {
    const contents = await images.read(image, signal);
    const expected = `${path ?? `The program that ${image} starts`} is linked statically.`;
    const programs = path === undefined ? startedPrograms(contents) : programAt(contents, path);
    if ('problem' in programs) return { status: 'fail', expected, actual: programs.problem, hint: programs.hint };
    const wrong = programs.find(({ elf }) => elf?.linkage !== 'static');
    if (wrong === undefined) {
      const names = programs.map((program) => `/${program.path}`);
      const needs = names.length === 1 ? 'needs no loader and no library' : 'need no loader and no library';
      return { status: 'pass', expected, actual: `${names.join(' and ')} ${needs}.` };
    }
    return { status: 'fail', expected, ...describe(wrong, contents) };
  },
};

function programAt(contents: ImageContents, path: string): readonly LayerEntry[] | Unknown {
  const entry = findProgram(contents, path);
  if (entry !== undefined) return [entry];
  return { problem: `There is no ${path} in the image.`, hint: 'Compare the path with where COPY --from puts it.' };
}

/** What is wrong with a program that is not static. */
function describe(
  entry: LayerEntry,
  { merged, layers }: ImageContents,
): { readonly actual: string; readonly hint: string } {
  const { path, elf } = entry;
  if (elf === undefined) {
    return {
      actual: `/${path} is no ELF program: it is a script, or something else that needs an interpreter.`,
      hint: 'Start the compiled program itself: ENTRYPOINT ["/path"].',
    };
  }
  if (elf.linkage === 'unknown')
    return { actual: `/${path} has ELF headers that make no sense.`, hint: 'Is it the compiled program, and whole?' };
  const { interpreter } = elf;
  const library = interpreter.includes('ld-musl') ? ", musl's" : /ld-linux|ld64/.test(interpreter) ? ", glibc's" : '';
  const gone =
    interpreter !== '' && resolvePath(merged, interpreter) === undefined
      ? ', which the image does not have: it would not start'
      : '';
  const asks = interpreter === '' ? 'names libraries' : `asks for the loader ${interpreter}${library}${gone}`;
  const go = layers
    .flatMap(({ packages }) => packages)
    .find((each) => each.system === 'go' && each.name === 'stdlib' && each.path === path);
  const isShell = executableClass(entry) === 'shell';
  return {
    actual: `/${path} is linked dynamically: it ${asks}.`,
    hint: isShell
      ? 'It is a shell. Start the compiled program itself, in exec form: ENTRYPOINT ["/path"].'
      : go === undefined
        ? 'In C link it with -static; in Rust build it for a musl target. An image from scratch has neither loader nor libraries.'
        : `It was built by Go ${go.version} with cgo: build it with CGO_ENABLED=0. An image from scratch has neither loader nor libraries.`,
  };
}
