import { mkdtempSync, rmSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { gitlab, makeRepository, yamlUnder } from './ci-examples.ts';

/** The examples of docs/ci.md are what GitHub and GitLab take for a workflow; tests/labs/ci-examples.test.ts runs them. */

// The parser imports JSON without saying so, which Node refuses.
registerHooks({
  load: (url, context, next) =>
    next(url, url.endsWith('.json') ? { ...context, importAttributes: { type: 'json' } } : context),
});
const { NoOperationTraceWriter, parseWorkflow } = await import('@actions/workflow-parser');

const folder = mkdtempSync(join(tmpdir(), 'ballast-ci-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const githubErrors = (content: string): string[] =>
  parseWorkflow({ name: 'ci.yaml', content }, new NoOperationTraceWriter())
    .context.errors.getErrors()
    .map(({ message }) => message);

it("GitHub's own parser takes the workflow, and refuses a wrong one", () => {
  const workflow = yamlUnder('GitHub Actions');
  expect(githubErrors(workflow)).toEqual([]);
  expect(githubErrors(workflow.replace('    steps:', '    stepz:'))).not.toEqual([]);
});

it("GitLab's schema takes the pipeline, and refuses a wrong one", { timeout: 60_000 }, () => {
  const pipeline = yamlUnder('GitLab');
  makeRepository(join(folder, 'right'), { '.gitlab-ci.yml': pipeline });
  const right = gitlab(join(folder, 'right'), ['--list']);
  expect(right.output).toContain('json schema validated');
  expect(right.status).toBe(0);
  makeRepository(join(folder, 'wrong'), { '.gitlab-ci.yml': pipeline.replace('when: always', 'when: sometimes') });
  expect(gitlab(join(folder, 'wrong'), ['--list']).status).not.toBe(0);
});
