import { describe, expect, it } from 'vitest';
import { countWords } from './lab-file.ts';
import { judgeTable, parseTable } from './lab-table.ts';

describe('lab-file', () => {
  it('counts words, and no headings', () => {
    expect(countWords("# Which one\n\nI'd ship the small one, 6.1 MB.\n")).toBe(8);
    expect(countWords('')).toBe(0);
  });
});

describe('lab-table', () => {
  const head = '| image | size (MB) | packages | start |\n| --- | ---: | :-- | --- |\n';
  const measured = new Map([['naive', { megabytes: 700, dpkg: 160 }]]);
  const judge = (rows: string): string | undefined =>
    judgeTable(
      parseTable(`# Measured\n\n${head}${rows}`),
      { megabytes: 'size (MB)', dpkg: 'packages', filled: ['start'], tolerancePercent: 10 },
      measured,
    );

  it('accepts what is near to what was measured', () => {
    expect(judge('| naive | 684.2 | 160 | 310 ms |\n')).toBeUndefined();
    expect(judge('| naive | 1 | 2 | 3 |\n| naive | 684,2 | 176 | 310 |\n')).toBeUndefined();
  });

  it('names what is missing or off, without telling the right number', () => {
    expect(judge('')).toBe('There is no row "naive".');
    expect(judge('| naive | 684.2 | 160 | |\n')).toBe('The row "naive" has no number under "start".');
    expect(judge('| naive | 500 | 160 | 3 |\n')).toContain('says 500 under "size (MB)"');
    expect(judge('| naive | 684 | 78 | 3 |\n')).toContain('says 78 under "packages"');
  });

  it('takes a row only with the headings above it', () => {
    expect(parseTable('| naive | 1 |\n\n| image | size |\n| --- | --- |\n| slim | 2 |\n').has('naive')).toBe(false);
  });
});
