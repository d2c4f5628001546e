import { describe, expect, it } from 'vitest';
import { terminalName } from '../../sandbox-server/protocol/index.ts';
import { nextTerminalName, orderTerminals, terminalTitle, typedCommand } from './terminal-names.ts';

describe('terminal names', () => {
  it('takes the lowest free number, and a name that the protocol allows', () => {
    expect(nextTerminalName(['main'])).toBe('shell-2');
    expect(nextTerminalName(['main', 'shell-2', 'shell-4'])).toBe('shell-3');
    expect(terminalName.safeParse(nextTerminalName(['main'])).success).toBe(true);
  });

  it('titles and orders tabs by number', () => {
    expect(orderTerminals(['shell-10', 'shell-2', 'other', 'main'])).toEqual(['main', 'shell-2', 'shell-10', 'other']);
    expect(['main', 'shell-2', 'other'].map(terminalTitle)).toEqual(['Terminal 1', 'Terminal 2', 'other']);
  });
});

describe('typedCommand', () => {
  it('types one line and presses Enter', () => {
    expect(typedCommand('docker images\n', true)).toBe('docker images\r');
  });

  it('pastes several lines as one input', () => {
    expect(typedCommand('a \\\r\n  b\n', true)).toBe('\u001b[200~a \\\r  b\u001b[201~\r');
  });

  it('types several lines where the shell knows no bracketed paste', () => {
    expect(typedCommand('a\nb\n', false)).toBe('a\rb\r');
  });

  it('drops control characters, which could end the paste early', () => {
    expect(typedCommand('a\u001b[201~\nb\u0003', true)).toBe('\u001b[200~a[201~\rb\u001b[201~\r');
  });
});
