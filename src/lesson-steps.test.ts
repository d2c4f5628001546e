import { expect, test } from 'vitest';
import { lessonSteps } from './lesson-steps.ts';

const headings = [
  { depth: 2, slug: 'weigh-it', text: 'Weigh it' },
  { depth: 3, slug: 'aside', text: 'Aside' },
  { depth: 2, slug: 'split-it', text: 'Split it' },
];
const checks = [{ id: 'image-built' }];

test('second-level headings are steps, with the checks that complete them', () => {
  expect(lessonSteps('a', headings, { 'Split it': ['image-built'] }, checks)).toEqual([
    { slug: 'weigh-it', title: 'Weigh it', checks: [] },
    { slug: 'split-it', title: 'Split it', checks: ['image-built'] },
  ]);
});

test('a heading or a check that is not there is an error', () => {
  expect(() => lessonSteps('a', headings, { Aside: ['image-built'] }, checks)).toThrow('"Aside"');
  expect(() => lessonSteps('a', headings, { 'Weigh it': ['image-bilt'] }, checks)).toThrow('image-bilt');
});
