import { stripVTControlCharacters } from 'node:util';
import { Listr, ListrLogger, PRESET_TIMER, ProcessOutput } from 'listr2';
import type { Progress } from '../engines/engine.ts';

/** One step of set-up: `run` reports progress as it goes and returns a line that says what came of it. */
export interface Stage {
  readonly title: string;
  run(progress: Progress): Promise<string>;
}

const barCells = 24;
const plainEveryMs = 5000;

/** `[########----------------]  33% text`, or only the text when how far it is cannot be known. */
export function progressLine(text: string, fraction: number | undefined): string {
  if (fraction === undefined) return text;
  const part = Math.min(1, Math.max(0, fraction));
  const full = Math.round(part * barCells);
  return `[${'#'.repeat(full)}${'-'.repeat(barCells - full)}] ${String(Math.round(part * 100)).padStart(3)}% ${text}`;
}

/** What tools print may move the cursor or fake lines of ours: keep printable text of one line. */
function tidy(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 160);
}

/**
 * Runs stages one after the other and shows them on stderr: live with a bar and the elapsed time on a terminal,
 * plain lines elsewhere. A stage that throws ends the run with its error.
 */
export async function runStages(stages: readonly Stage[]): Promise<void> {
  const interactive = process.stderr.isTTY;
  // listr2 writes to standard output unless told otherwise; that is kept for results.
  const processOutput = new ProcessOutput(process.stderr, process.stderr);
  const tasks = new Listr<object, 'default', 'simple'>(
    stages.map((stage) => ({
      title: stage.title,
      task: async (_context, task): Promise<void> => {
        let lastShown = 0;
        const outcome = await stage.run(({ text, fraction }) => {
          const now = Date.now();
          if (!interactive && now - lastShown < plainEveryMs) return;
          lastShown = now;
          task.output = progressLine(tidy(text), fraction);
        });
        if (outcome !== '') task.title = `${stage.title}: ${outcome}`;
      },
    })),
    {
      concurrent: false,
      renderer: 'default',
      rendererOptions: { timer: PRESET_TIMER, logger: new ListrLogger({ useIcons: true, processOutput }) },
      fallbackRenderer: 'simple',
      fallbackRendererCondition: () => !interactive,
      fallbackRendererOptions: {
        // In a pipe without colours, whatever the environment says of CI.
        timer: { ...PRESET_TIMER, format: () => (text) => text ?? '' },
        logger: new ListrLogger({ useIcons: false, processOutput, fields: { prefix: [], suffix: [] } }),
      },
      registerSignalListeners: false,
    },
  );
  await tasks.run();
}
