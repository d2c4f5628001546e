import type { LessonStep } from './client/lesson-progress.ts';

interface Heading {
  readonly depth: number;
  readonly slug: string;
  readonly text: string;
}

/**
 * The steps of a lesson: its second-level headings, with the checks that complete them.
 * @param stepChecks of the lesson's front matter: text of a heading to ids of checks.
 * @throws Error when it names a heading or a check that is not there.
 */
export function lessonSteps(
  lesson: string,
  headings: readonly Heading[],
  stepChecks: Readonly<Record<string, readonly string[]>>,
  checks: readonly { readonly id: string }[],
): LessonStep[] {
  const own = headings.filter(({ depth }) => depth === 2);
  const titles = new Set(own.map(({ text }) => text));
  const known = new Set(checks.map(({ id }) => id));
  for (const [title, ids] of Object.entries(stepChecks)) {
    if (!titles.has(title)) throw new Error(`Lesson "${lesson}": stepChecks names no heading of it: "${title}".`);
    const unknown = ids.filter((id) => !known.has(id));
    if (unknown.length > 0) throw new Error(`Lesson "${lesson}": the lab has no check ${unknown.join(', ')}.`);
  }
  return own.map(({ slug, text }) => ({ slug, title: text, checks: stepChecks[text] ?? [] }));
}
