import { StreamLanguage, type StreamParser } from '@codemirror/language';
import { dockerFile } from '@codemirror/legacy-modes/mode/dockerfile';
import { go } from '@codemirror/legacy-modes/mode/go';
import { shell } from '@codemirror/legacy-modes/mode/shell';
import { yaml } from '@codemirror/legacy-modes/mode/yaml';
import type { Extension } from '@codemirror/state';
import { nameOf } from '../../client/file-tree.ts';

export interface EditorLanguage {
  readonly name: string;
  readonly extension: Extension;
  /** One step of indentation. */
  readonly indent: string;
}

const language = (name: string, parser: StreamParser<unknown>, indent: string): EditorLanguage => ({
  name,
  extension: StreamLanguage.define(parser),
  indent,
});

const languages = {
  docker: language('Dockerfile', dockerFile, '    '),
  go: language('Go', go, '\t'),
  yaml: language('YAML', yaml, '  '),
  shell: language('Shell', shell, '  '),
  text: { name: 'Text', extension: [], indent: '    ' },
};

/** Language of a file, by its name. */
export function languageOf(path: string): EditorLanguage {
  const name = nameOf(path).toLowerCase();
  if (/^(docker|container)file(\.|$)|\.dockerfile$/.test(name)) return languages.docker;
  if (/\.go$|^go\.(mod|work)$/.test(name)) return languages.go;
  if (/\.ya?ml$/.test(name)) return languages.yaml;
  if (/\.(ba)?sh$|^\.(bashrc|profile)$/.test(name)) return languages.shell;
  if (name === 'makefile') return { ...languages.text, indent: '\t' };
  return languages.text;
}
