import { EditorView } from '@codemirror/view';
import { tagHighlighter, tags } from '@lezer/highlight';

/** Gives code in the editor the classes, and so the colours, of the lesson's code blocks (styles/code.css). */
export const editorHighlighter = tagHighlighter([
  { tag: tags.comment, class: 'tok-comment' },
  { tag: [tags.keyword, tags.modifier, tags.controlKeyword], class: 'tok-keyword' },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], class: 'tok-string' },
  { tag: [tags.number, tags.bool, tags.atom, tags.null, tags.constant(tags.name)], class: 'tok-constant' },
  { tag: [tags.function(tags.variableName), tags.definition(tags.variableName)], class: 'tok-function' },
  { tag: [tags.propertyName, tags.attributeName], class: 'tok-function' },
  { tag: [tags.standard(tags.variableName), tags.typeName], class: 'tok-parameter' },
  { tag: [tags.punctuation, tags.operator, tags.meta], class: 'tok-punctuation' },
]);

/** All colours are the page's custom properties, so light and dark need no second theme. */
export const editorTheme = EditorView.theme({
  '&': { height: '100%', color: 'var(--color-text)', backgroundColor: 'transparent', fontSize: '0.8125rem' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '1.65', fontVariantLigatures: 'none' },
  '.cm-content': { caretColor: 'var(--color-accent)', paddingBlock: '0.5rem' },
  '.cm-line': { paddingInline: '0.75rem 1rem' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--color-accent)', borderLeftWidth: '2px' },
  '.cm-gutters': { backgroundColor: 'var(--color-surface)', color: 'var(--color-text-muted)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '2.75rem', paddingInline: '0.75rem 0.25rem' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in oklab, var(--color-surface-2) 55%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--color-text)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'light-dark(#bfe3ee, #1f5566)',
  },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--color-accent-soft)', outline: 'none' },
  '.cm-selectionMatch': { backgroundColor: 'var(--color-accent-soft)' },
  '.cm-searchMatch': { backgroundColor: 'var(--color-warn-soft)', outline: '1px solid var(--color-warn)' },
  '.cm-searchMatch-selected': { backgroundColor: 'color-mix(in oklab, var(--color-warn) 35%, transparent)' },
  '.cm-panels': { backgroundColor: 'var(--color-surface-2)', color: 'var(--color-text)' },
  '.cm-panels.cm-panels-top': { borderBottom: '1px solid var(--color-border)' },
  '.cm-panel.cm-search': {
    display: 'flex',
    flexWrap: 'wrap',
    alignItems: 'center',
    gap: '0.375rem 0.5rem',
    padding: '0.5rem 2.25rem 0.5rem 0.75rem',
    fontFamily: 'var(--font-sans)',
  },
  '.cm-panel.cm-search br': { flexBasis: '100%', content: '""' },
  '.cm-panel.cm-search input[type=text], .cm-panel.cm-search .cm-textfield': { width: '11rem' },
  '.cm-panel.cm-search :is(input, button, label)': { margin: 0 },
  '.cm-panel.cm-search label': {
    display: 'inline-flex',
    alignItems: 'center',
    gap: '0.25rem',
    fontSize: '0.75rem',
    whiteSpace: 'nowrap',
  },
  '.cm-panel.cm-search [name=close]': { top: '0.25rem', right: '0.5rem', fontSize: '1.125rem' },
  '.cm-textfield': {
    border: '1px solid var(--color-border-strong)',
    borderRadius: 'var(--radius-sm)',
    backgroundColor: 'var(--color-surface)',
    padding: '0.1875rem 0.5rem',
    fontSize: '0.8125rem',
  },
  '.cm-button': {
    border: '1px solid var(--color-border)',
    borderRadius: 'var(--radius-sm)',
    backgroundColor: 'var(--color-surface)',
    backgroundImage: 'none',
    fontSize: '0.75rem',
  },
});
