import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentLess, indentMore, insertTab } from '@codemirror/commands';
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { Annotation, EditorState, type Extension, type StateCommand, type TransactionSpec } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { languageOf } from './editor-languages.ts';
import { editorHighlighter, editorTheme } from './editor-theme.ts';

/** Marks changes that came from the sandbox, so that they are not saved back to it. */
const fromSandbox = Annotation.define<boolean>();

/** Tab puts in one step of indentation, in spaces where the language uses spaces. */
const insertIndent: StateCommand = (target) => {
  const unit = target.state.facet(indentUnit);
  if (target.state.selection.ranges.some((range) => !range.empty)) return indentMore(target);
  if (unit === '\t') return insertTab(target);
  target.dispatch(
    target.state.update(target.state.replaceSelection(unit), { scrollIntoView: true, userEvent: 'input' }),
  );
  return true;
};

/** The editor's state for one file; `onEdit` gets the whole text after each change that the learner makes. */
export function fileState(path: string, text: string, onEdit: (text: string) => void): EditorState {
  const language = languageOf(path);
  return EditorState.create({
    doc: text,
    extensions: [
      ...common,
      language.extension,
      indentUnit.of(language.indent),
      EditorState.tabSize.of(4),
      EditorView.contentAttributes.of({
        'aria-label': `Text of ${path}`,
        'data-testid': 'editor-content',
        tabindex: '0',
      }),
      EditorView.updateListener.of((update) => {
        if (!update.docChanged || update.transactions.some((each) => each.annotation(fromSandbox) === true)) return;
        onEdit(update.state.doc.toString());
      }),
    ],
  });
}

/** The change that makes the file `text`, touching no more than what differs: cursor and scrolling stay put. */
export function replaceText(state: EditorState, text: string): TransactionSpec {
  const old = state.doc.toString();
  const shorter = Math.min(old.length, text.length);
  let start = 0;
  while (start < shorter && old[start] === text[start]) start += 1;
  let end = 0;
  while (end < shorter - start && old[old.length - 1 - end] === text[text.length - 1 - end]) end += 1;
  return {
    changes: { from: start, to: old.length - end, insert: text.slice(start, text.length - end) },
    annotations: fromSandbox.of(true),
  };
}

const common: Extension[] = [
  lineNumbers(),
  highlightSpecialChars(),
  history(),
  drawSelection(),
  EditorView.lineWrapping,
  indentOnInput(),
  bracketMatching(),
  closeBrackets(),
  highlightActiveLine(),
  highlightActiveLineGutter(),
  highlightSelectionMatches(),
  search({ top: true }),
  syntaxHighlighting(editorHighlighter),
  editorTheme,
  // Esc and then Tab leaves the editor: CodeMirror's own rule against a keyboard trap.
  keymap.of([
    { key: 'Tab', run: insertIndent, shift: indentLess },
    ...closeBracketsKeymap,
    ...searchKeymap,
    ...historyKeymap,
    ...defaultKeymap,
  ]),
];
