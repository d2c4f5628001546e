import { lintSource } from '@secretlint/core';
import { creator } from '@secretlint/secretlint-rule-preset-recommend';
import type { Finding, ImageContents } from '../images/image-reader.ts';

type Described = Pick<ImageContents, 'config' | 'history'>;

/** A string that has the shape of a well-known secret, as a finding, and what it is: "npm access token". */
export interface KnownSecret extends Finding {
  readonly what: string;
}

/** Learners write these texts: what is longer, or more, is looked through as far as this. */
const maxCharacters = 8 * 1024;
const maxTexts = 200;

/**
 * Secrets of well-known shapes in an image's configuration and history, by the rules of secretlint.
 * @param base what the image was built on, where that is known: what is there already is not looked at
 */
export async function findKnownSecrets(image: Described, base?: Described): Promise<KnownSecret[]> {
  const known = new Set((base === undefined ? [] : textsOf(base)).map(({ text }) => text));
  const found: KnownSecret[] = [];
  for (const { text, ...place } of textsOf(image)
    .filter((each) => !known.has(each.text))
    .slice(0, maxTexts))
    for (const { what, needle } of await lint(text.slice(0, maxCharacters)))
      found.push({ ...place, what, needle, hidden: false });
  return found;
}

type Place = Pick<Finding, 'where' | 'index' | 'path'>;

function textsOf({ config, history }: Described): (Place & { readonly text: string })[] {
  const { env, labels, entrypoint, cmd, healthcheck } = config;
  const named = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const settings = [...env, ...named, entrypoint.join(' '), cmd.join(' '), (healthcheck?.test ?? []).join(' ')];
  return [
    ...settings.map((text) => ({ where: 'config' as const, index: 0, path: '', text })),
    ...history.map(({ createdBy }, index) => ({ where: 'history' as const, index, path: createdBy, text: createdBy })),
  ].filter(({ text }) => text !== '');
}

const rules = [{ id: '@secretlint/secretlint-rule-preset-recommend', rule: creator }];

async function lint(content: string): Promise<{ what: string; needle: string }[]> {
  const source = { content, filePath: 'image', ext: '', contentType: 'text' as const };
  const { messages } = await lintSource({
    source,
    options: { config: { rules }, maskSecrets: true, noPhysicFilePath: true },
  });
  return messages.map(({ message, range }) => ({
    // "found GitHub Token(…): ****": what it is, without what it holds.
    what: /^found ([^:(]+)/.exec(message)?.[1]?.trim() ?? 'secret',
    needle: content.slice(...range),
  }));
}
