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
  const head = '| image | size (MB) | packages | CVEs | start |\n| --- | ---: | :-- | --- | --- |\n';
  const measured = new Map([
    ['naive', { megabytes: 700, dpkg: 160, cves: 4 }],
    ['scratch', { megabytes: 7, dpkg: 0, cves: 0 }],
  ]);
  const scratch = '| scratch | 7 | 0 | 0 | 3 |\n';
  const cves = { heading: 'CVEs', advisories: 'advisories.tsv' };
  const judge = (rows: string): string | undefined =>
    judgeTable(
      parseTable(`# Measured\n\n${head}${rows}`),
      { megabytes: 'size (MB)', dpkg: 'packages', cves, filled: ['start'], tolerancePercent: 10 },
      measured,
    );

  it('accepts what is near to what was measured', () => {
    expect(judge(`${scratch}| naive | 684.2 | 160 | 5 | 310 ms |\n`)).toBeUndefined();
    expect(judge(`${scratch}| naive | 1 | 2 | 3 | 4 |\n| naive | 684,2 | 176 | 3 | 310 |\n`)).toBeUndefined();
  });

  it('names what is missing or off, without telling the right number', () => {
    expect(judge('')).toBe('There is no row "naive".');
    expect(judge('| naive | 684.2 | 160 | 4 | |\n')).toBe('The row "naive" has no number under "start".');
    expect(judge('| naive | 500 | 160 | 4 | 3 |\n')).toContain('says 500 under "size (MB)"');
    expect(judge('| naive | 684 | 78 | 4 | 3 |\n')).toContain('says 78 under "packages"');
    expect(judge('| naive | 684 | 160 | 2 | 3 |\n')).toContain('says 2 under "CVEs"');
    expect(judge('| naive | 684 | 160 | 4 | 3 |\n| scratch | 7 | 0 | 1 | 3 |\n')).toContain('says 1 under "CVEs"');
  });

  it('takes a row only with the headings above it', () => {
    expect(parseTable('| naive | 1 |\n\n| image | size |\n| --- | --- |\n| slim | 2 |\n').has('naive')).toBe(false);
  });
});
