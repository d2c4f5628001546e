/** Name of the terminal that every session begins with. */
export const firstTerminal = 'main';

/** A name for one more terminal: the lowest number that is free. */
export function nextTerminalName(taken: readonly string[]): string {
  let number = 2;
  while (taken.includes(`shell-${String(number)}`)) number += 1;
  return `shell-${String(number)}`;
}

/** What a tab says: "Terminal" and a number that stays with the shell. */
export function terminalTitle(name: string): string {
  if (name === firstTerminal) return 'Terminal 1';
  const number = /^shell-(\d+)$/.exec(name)?.[1];
  return number === undefined ? name : `Terminal ${number}`;
}

/** Terminals in the order of their tabs: the first, then by number. */
export function orderTerminals(names: readonly string[]): readonly string[] {
  const rank = (name: string): number => (name === firstTerminal ? 1 : Number(/^shell-(\d+)$/.exec(name)?.[1] ?? 1e6));
  return names.toSorted((a, b) => rank(a) - rank(b) || a.localeCompare(b));
}

/**
 * What to send so that a shell runs `code`. Where it takes bracketed pastes, several lines go as one, so that they are
 * one input; control characters are dropped, since one could end the paste early.
 */
export function typedCommand(code: string, bracketed: boolean): string {
  // Every control character but line feed and tab.
  const clean = code
    .replaceAll('\r\n', '\n')
    .replaceAll(/[^\P{Cc}\n\t]/gu, '')
    .replace(/\n+$/, '');
  const keys = clean.replaceAll('\n', '\r');
  return bracketed && /[\n\t]/.test(clean) ? `\u001b[200~${keys}\u001b[201~\r` : `${keys}\r`;
}
