import type { Engine, Progress, SandboxSpec } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { holdLease } from './hold-lease.ts';

const prefix = 'ballast: ';
const keptLogLines = 12;

/** What the sandbox's first process says of itself on its log. */
export type SandboxReport =
  | { readonly type: 'stage'; readonly fraction: number; readonly text: string }
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly text: string };

/** Read one line of a sandbox's log; null when it is something else, such as the engine's own messages. */
export function parseReport(line: string): SandboxReport | null {
  if (!line.startsWith(prefix)) return null;
  const words = line.slice(prefix.length);
  if (words === 'ready') return { type: 'ready' };
  if (words.startsWith('failed ')) return { type: 'failed', text: words.slice('failed '.length) };
  const stage = /^stage ([01](?:\.\d+)?) (.+)$/.exec(words);
  if (stage?.[1] === undefined || stage[2] === undefined) return null;
  return { type: 'stage', fraction: Math.min(1, Number(stage[1])), text: stage[2] };
}

export interface StartOptions {
  /** Longest wait for "ready", in ms. */
  readonly timeoutMs: number;
  readonly onStage?: Progress;
  /** Its first program runs, its engine does not yet. */
  readonly onCreated?: (id: string) => void;
  /** The session's data volume holds a learner's work: it stays when the sandbox does not start. */
  readonly keepData?: boolean;
  /** It ends when this process does: see `holdLease`. Else it outlives us. */
  readonly lease?: boolean;
  /** Gives up and removes the sandbox. */
  readonly signal?: AbortSignal;
}

/** Why a sandbox did not become ready, or null when it did. */
async function waitUntilReady(
  engine: Engine,
  id: string,
  options: StartOptions,
  signal: AbortSignal,
): Promise<string | null> {
  for await (const line of engine.followLog(id, signal)) {
    const report = parseReport(line);
    if (report?.type === 'ready') return null;
    if (report?.type === 'failed') return report.text;
    if (report?.type === 'stage') options.onStage?.({ text: report.text, fraction: report.fraction });
  }
  if (options.signal?.aborted === true) return 'It was cancelled.';
  if (signal.aborted) return `It was not ready after ${String(Math.round(options.timeoutMs / 1000))} s.`;
  return 'It ended before it was ready.';
}

/** The last words of a sandbox, without control characters: they go into an error's message. */
async function lastWords(engine: Engine, id: string): Promise<string> {
  const log = await engine.tailLog(id, keptLogLines).catch(() => '');
  return log.replace(/[^\P{Cc}\n]/gu, '').trim();
}

/**
 * Create a sandbox and wait until its engine answers.
 * @returns the engine's id of the sandbox.
 * @throws BallastError sandbox_failed with the last lines of its log, after removing it; or the driver's own error when
 * it could not be created.
 */
export async function startSandbox(engine: Engine, spec: SandboxSpec, options: StartOptions): Promise<{ id: string }> {
  options.onStage?.({ text: 'Creating the sandbox', fraction: 0 });
  const id = await engine.createSandbox(spec);
  options.onCreated?.(id);
  const timeout = AbortSignal.timeout(options.timeoutMs);
  const signal = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]);
  let failure: string | null;
  let cause: unknown;
  try {
    if (options.lease === true) await holdLease(engine, id);
    failure = await waitUntilReady(engine, id, options, signal);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
    cause = error;
  }
  if (failure === null) {
    options.onStage?.({ text: 'Ready', fraction: 1 });
    return { id };
  }
  const words = await lastWords(engine, id);
  await engine.removeSandbox(id, { keepData: options.keepData ?? false }).catch(() => undefined);
  throw new BallastError('sandbox_failed', {
    message: `The sandbox did not start. ${failure}${words === '' ? '' : `\nIts last words:\n${words}`}`,
    cause,
  });
}
