import type { AstroUserConfig } from 'astro';
import { readFenceMeta, type FenceMeta } from './fence-meta.ts';

type ShikiOptions = NonNullable<NonNullable<AstroUserConfig['markdown']>['shikiConfig']>;
type Transformer = NonNullable<ShikiOptions['transformers']>[number];

const languageNames: Readonly<Record<string, string>> = {
  sh: 'Shell',
  dockerfile: 'Dockerfile',
  go: 'Go',
  yaml: 'YAML',
  text: 'Text',
};

/** The label above a block: its file where there is one, else where it goes. */
function caption(meta: FenceMeta, language: string): string {
  if (meta.file !== undefined) return meta.file;
  if (meta.part !== undefined) return `In ${meta.part}`;
  if (meta.run) return meta.fails ? 'Terminal · fails on purpose' : 'Terminal';
  return languageNames[language] ?? language;
}

/**
 * Shiki transformer: gives tokens class names in place of inline styles and wraps each block in a
 * `<code-block>` with a caption. The script of that element adds the buttons.
 */
export const codeBlocks: Transformer = {
  name: 'ballast-code-blocks',
  span(node) {
    const style = node.properties['style'];
    delete node.properties['style'];
    const token = typeof style === 'string' ? /--astro-code-token-([a-z-]+)/.exec(style)?.[1] : undefined;
    if (token !== undefined) node.properties['class'] = `tok-${token}`;
  },
  root(root) {
    const raw: unknown = this.options.meta?.__raw;
    const meta = readFenceMeta(typeof raw === 'string' ? raw : '');
    const language = this.options.lang;
    const label = caption(meta, language);
    const pre = root.children[0];
    if (pre?.type !== 'element') return;
    delete pre.properties['style'];
    pre.properties['role'] = 'group';
    pre.properties['ariaLabel'] = label;
    root.children = [
      {
        type: 'element',
        tagName: 'code-block',
        properties: {
          dataLanguage: language,
          ...(meta.run ? { dataRun: '' } : {}),
          ...(meta.fails ? { dataFails: '' } : {}),
          ...(meta.file === undefined ? {} : { dataFile: meta.file }),
        },
        children: [
          {
            type: 'element',
            tagName: 'div',
            properties: { class: 'code-caption' },
            children: [
              { type: 'element', tagName: 'span', properties: {}, children: [{ type: 'text', value: label }] },
            ],
          },
          pre,
        ],
      },
    ];
  },
};
