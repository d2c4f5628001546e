import type { Reporter, TestCase } from 'vitest/node';

/** Says why a test is skipped: the default reporter only counts those of a file. */
export default class SkipReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const result = test.result();
    if (result.state !== 'skipped') return;
    const why = result.note === undefined ? 'skipped (its file says why)' : `skipped, because ${result.note}`;
    process.stderr.write(`!!! ${why}: ${test.module.relativeModuleId} > ${test.fullName}\n`);
  }
}
