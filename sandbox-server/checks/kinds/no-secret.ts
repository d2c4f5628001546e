import { posix } from 'node:path';
import { z } from 'zod';
import type { Finding, ImageConfig, ImageContents } from '../../images/image-reader.ts';
import type { CheckContext, CheckKind } from '../check-kind.ts';
import { shortInstruction } from '../folder-sizes.ts';
import { capitalize, hiddenBy, layerOrigin, originOf } from '../image-origin.ts';
import type { ImageOrigin } from '../image-origin.ts';
import { findKnownSecrets } from '../known-secrets.ts';
import type { KnownSecret } from '../known-secrets.ts';
import { imageParameter } from '../parameters.ts';

const schema = z.strictObject({
  image: imageParameter,
  canaries: z
    .array(z.string().min(8, 'a canary shorter than 8 characters is found by chance').max(4096))
    .min(1)
    .max(20)
    .describe('Secrets that the lab hands out, exactly as they must not be found.'),
  wellKnown: z
    .boolean()
    .default(true)
    .describe('Whether tokens and keys of well-known shapes in the configuration and the history count as well.'),
});

const named = 4;

/** Also in what a later layer deletes: whoever has the image has all of its layers. */
export const noSecret: CheckKind<z.output<typeof schema>> = {
  name: 'no-secret',
  summary:
    'Given secrets are in no file of any layer, deleted ones included, nor in the config or the history, and no well-known ones in those two.',
  docs: {
    looksAt:
      'Every file, name and link of every layer, the configuration and the history, for the exact strings that the lab planted. The configuration and the history, but for what the base image has, also for tokens and keys of well-known shapes, by the rules of secretlint.',
    example: `image: greeter
canaries: [canary-7d1f0a9c]`,
    fails:
      'Says where, never what: the file and its layer, the name of the setting in the configuration, or the step of the history and the name that it sets. The hint depends on the place: build secrets for ARG and ENV; mounts for what a RUN writes and for files deleted later, with the layer that deletes; the line for .dockerignore for files copied along.',
    limits:
      'A secret that is compressed or encoded inside of a file is not seen. In files only the planted strings are looked for: packages ship keys and tokens as test data, which general scanners take for secrets.',
  },
  schema,
  timeoutMs: 240_000,
  async run({ image, canaries, wellKnown }, context) {
    const { images, signal } = context;
    const contents = await images.read(image, signal);
    const planted = await images.search(image, canaries, signal);
    const origin = await originOf(context, image, contents);
    const shaped = wellKnown ? await findKnownSecrets(contents, await readBase(context, origin)) : [];
    const found = [...planted, ...shaped.filter(({ needle }) => !canaries.some((canary) => needle.includes(canary)))];
    const looked = wellKnown ? ', and nothing of the shape of a well-known one in the last two' : '';
    const expected = `No secret of this lab is in any layer of ${image}, in its configuration or in its history${looked}.`;
    if (found.length === 0) return { status: 'pass', expected, actual: 'None was found.' };
    const places = found.slice(0, named).map((finding) => describe(finding, contents));
    const more = found.length > named ? `\nAnd ${String(found.length - named)} more.` : '';
    const hint = advise(found, contents, origin);
    const hide = (text: string): string =>
      [...canaries, ...found.map(({ needle }) => needle)].reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
    return { status: 'fail', expected, actual: hide(`${places.join('\n')}${more}`), hint: hide(hint) };
  },
};

/** What the image was built on; undefined where that is not known, or is nothing. */
async function readBase(
  { images, signal }: CheckContext,
  { base, baseLayers = 0 }: ImageOrigin,
): Promise<ImageContents | undefined> {
  return base === undefined || baseLayers === 0 ? undefined : images.read(base, signal);
}

/** Where a secret was found; never the secret itself, since results are shown to others. */
function describe(finding: Finding | KnownSecret, { layers, config }: ImageContents): string {
  const { where, index, path, hidden } = finding;
  const secret = 'what' in finding ? `What looks like a secret (${finding.what})` : 'A secret';
  if (where === 'config')
    return `${secret} is in the configuration of the image${holderOf(finding, config)}: everybody sees it with docker inspect.`;
  if (where === 'history')
    return `${secret} is in the history, step ${String(index + 1)} (${instructionWord(path)}${keyOf(finding)}): everybody sees it with docker history.`;
  const by = instructionWord(layers[index]?.createdBy ?? '');
  const gone = hidden ? '; deleted later, yet still in the image' : '';
  return `${secret} is in /${path}, in layer ${String(index + 1)} of ${String(layers.length)} (${by})${gone}.`;
}

/** The keyword alone: the rest of the line may well be the secret. */
const instructionWord = (createdBy: string): string =>
  createdBy === '' ? 'the base image' : (shortInstruction(createdBy).split(' ')[0] ?? '');

/** Which setting of the configuration holds a secret, by its name alone. */
function holderOf({ needle }: Finding, { env, labels, entrypoint, cmd, healthcheck }: ImageConfig): string {
  const key = env.find((line) => line.includes(needle))?.split('=', 1)[0];
  if (key !== undefined) return `, in ENV ${key}`;
  const label = Object.entries(labels).find(([, value]) => value.includes(needle))?.[0];
  if (label !== undefined) return `, in the label ${label}`;
  const commands = { ENTRYPOINT: entrypoint, CMD: cmd, HEALTHCHECK: healthcheck?.test ?? [] };
  const command = Object.entries(commands).find(([, words]) => words.some((word) => word.includes(needle)))?.[0];
  return command === undefined ? '' : `, in ${command}`;
}

/** Name of what an instruction sets: of "ENV A=…" and, where an ARG was there as a RUN ran, of that. */
function keyOf({ path, needle }: Finding): string {
  const text = path.replace(/^\/bin\/sh -c #\(nop\) +/, '');
  const words = text.split(/\s/).filter((word) => word.includes(needle));
  const key = /^([\w.-]+)=/.exec(words[0] ?? '')?.[1] ?? /^(?:ENV|ARG|LABEL) ([\w.-]+) /.exec(text)?.[1];
  if (key === undefined) return '';
  return /^(?:RUN )?\|\d+ /.test(text) ? ` with ARG ${key}` : ` ${key}`;
}

/** A sentence or two on each kind of place, the first few. */
function advise(found: readonly Finding[], contents: ImageContents, origin: ImageOrigin): string {
  const advice: string[] = [];
  if (found.some(({ where }) => where !== 'layer'))
    advice.push(
      'ARG and ENV stay in the image for everybody to read. Hand a secret to the one RUN that needs it: RUN --mount=type=secret,id=… and docker build --secret id=…,src=….',
    );
  const files = found.filter(({ where }) => where === 'layer');
  for (const finding of [files.find(({ hidden }) => hidden), files.find(({ hidden }) => !hidden)])
    if (finding !== undefined) advice.push(adviseOnFile(finding, contents, origin));
  return advice.join('\n');
}

function adviseOnFile({ index, path, hidden }: Finding, contents: ImageContents, origin: ImageOrigin): string {
  const mount = 'RUN --mount=type=secret,id=…';
  const by = hidden ? hiddenBy(contents, index, path) : undefined;
  if (by !== undefined)
    return `${capitalize(instructionOf(contents, by))} only hides /${path}: the layer below keeps it. Mount it for the one RUN that needs it (${mount}), so that no layer ever holds it.`;
  const from = layerOrigin(contents, index, origin);
  if (from.kind === 'copy')
    return `COPY took /${path} along from "${from.from}". Copy by name only what the service needs.`;
  if (from.kind === 'run')
    return `A RUN wrote /${path}. Mount the secret for that one RUN (${mount}), and write it nowhere.`;
  return `COPY brought /${path} along. Leave it out with a line in .dockerignore ("**/${posix.basename(path)}"), copy by name, and mount secrets with ${mount}.`;
}

/** A layer by its number and keyword. */
const instructionOf = ({ layers }: ImageContents, index: number): string =>
  `layer ${String(index + 1)} (${instructionWord(layers[index]?.createdBy ?? '')})`;
