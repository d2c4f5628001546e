import { z } from 'zod';
import type { Finding, ImageContents } from '../../images/image-reader.ts';
import type { CheckKind } from '../check-kind.ts';
import { shortInstruction } from '../folder-sizes.ts';
import { imageParameter } from '../parameters.ts';

const schema = z.strictObject({
  image: imageParameter,
  canaries: z
    .array(z.string().min(8, 'a canary shorter than 8 characters is found by chance').max(4096))
    .min(1)
    .max(20)
    .describe('Secrets that the lab hands out, exactly as they must not be found.'),
});

const named = 4;

/** Also in what a later layer deletes: whoever has the image has all of its layers. */
export const noSecret: CheckKind<z.output<typeof schema>> = {
  name: 'no-secret',
  summary: 'Given secrets are in no file of any layer, deleted ones included, nor in the config or the history.',
  docs: {
    looksAt:
      'Every file, name and link of every layer, the configuration and the history, for the exact strings that the lab planted.',
    example: `image: greeter
canaries: [canary-7d1f0a9c]`,
    fails:
      'Says where, never what: the file and its layer, the configuration, or the step of the history. The hint depends on the place: build secrets for ARG and ENV, mounts for files deleted later, .dockerignore for files copied along.',
    limits:
      'A secret that is compressed or encoded inside of a file is not seen. General scanners know the shape of well-known tokens only, and take test data for secrets: that is why a lab plants canaries.',
  },
  schema,
  timeoutMs: 240_000,
  async run({ image, canaries }, { images, signal }) {
    const found = await images.search(image, canaries, signal);
    const expected = `No secret of this lab is in any layer of ${image}, in its configuration or in its history.`;
    if (found.length === 0) return { status: 'pass', expected, actual: 'None was found.' };
    const { layers } = await images.read(image, signal);
    const places = found.slice(0, named).map((finding) => describe(finding, layers));
    const more = found.length > named ? `\nAnd ${String(found.length - named)} more.` : '';
    return { status: 'fail', expected, actual: `${places.join('\n')}${more}`, hint: advise(found) };
  },
};

/** Where a secret was found; never the secret itself, since results are shown to others. */
function describe({ where, index, path, hidden }: Finding, layers: ImageContents['layers']): string {
  if (where === 'config')
    return 'A secret is in the configuration of the image: everybody sees it with docker inspect.';
  if (where === 'history')
    return `A secret is in the history, step ${String(index + 1)} (${instructionWord(path)}): everybody sees it with docker history.`;
  const by = instructionWord(layers[index]?.createdBy ?? '');
  const gone = hidden ? '; deleted later, yet still in the image' : '';
  return `A secret is in /${path}, in layer ${String(index + 1)} of ${String(layers.length)} (${by})${gone}.`;
}

/** The keyword alone: the rest of the line may well be the secret. */
const instructionWord = (createdBy: string): string =>
  createdBy === '' ? 'the base image' : (shortInstruction(createdBy).split(' ')[0] ?? '');

function advise(found: readonly Finding[]): string {
  if (found.some(({ where }) => where !== 'layer'))
    return 'ARG and ENV stay in the image for everybody to read. Hand a secret to the one RUN that needs it: RUN --mount=type=secret,id=… and docker build --secret id=…,src=….';
  if (found.some(({ hidden }) => hidden))
    return 'Deleting the file in a later RUN only hides it. Mount it for the one RUN that needs it (RUN --mount=type=secret,id=…), so that no layer ever holds it.';
  return 'COPY brought it along. Leave the file out with .dockerignore, copy by name, and mount secrets with RUN --mount=type=secret,id=….';
}
