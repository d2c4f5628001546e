import { z } from 'zod';
import { readLabFile } from '../dockerfile.ts';
import type { CheckKind } from '../check-kind.ts';
import { relativePath } from '../parameters.ts';

const schema = z.strictObject({
  file: relativePath.default('answers.txt').describe('File of the lab folder with a line "question: answer" for each.'),
  question: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'a question is named with a-z, 0-9 and "-"')
    .describe('Name of the question, as the file has it.'),
  accept: z
    .array(z.string().min(1))
    .min(1)
    .describe('Answers that are right. Capitals, white space and a full stop at the end do not count.'),
});

/** For what only understanding shows: the learner writes the answer into a file. The right one is never told. */
export const quizAnswer: CheckKind<z.output<typeof schema>> = {
  name: 'quiz-answer',
  summary: 'A line of a file in the lab folder answers a question rightly.',
  docs: {
    looksAt: 'One line of a file in the lab folder, "question: answer".',
    example: `question: layers
accept: ['3', three]`,
    fails: 'Says that there is no answer yet, or that it is not right. The right one is never told.',
  },
  schema,
  timeoutMs: 20_000,
  async run({ file, question, accept }, context) {
    const expected = `${file} answers "${question}" rightly.`;
    const text = await readLabFile(context, file);
    const answer = text === null ? undefined : findAnswer(text, question);
    if (answer === undefined || answer === '') {
      const actual = text === null ? `There is no ${file}.` : `${file} has no answer to "${question}" yet.`;
      return { status: 'fail', expected, actual, hint: `Write a line into ${file}: ${question}: your answer` };
    }
    const actual = `Your answer is ${JSON.stringify(answer)}.`;
    return accept.some((right) => normal(right) === normal(answer))
      ? { status: 'pass', expected, actual }
      : { status: 'fail', expected, actual, hint: 'That is not it. Look at the lesson again, or try it out.' };
  },
};

/** What stands after "question:", in the last line that has it. */
export function findAnswer(text: string, question: string): string | undefined {
  const lines = text.split('\n').map((line) => /^\s*([^:]+?)\s*:(.*)$/.exec(line));
  return lines.findLast((line) => line?.[1] === question)?.[2]?.trim();
}

const normal = (answer: string): string => answer.trim().toLowerCase().replaceAll(/\s+/g, ' ').replace(/\.$/, '');
