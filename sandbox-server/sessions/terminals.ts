import type { Engine, TerminalExec } from '../engines/engine.ts';
import { BallastError, terminalName } from '../protocol/index.ts';
import type { Session } from './session.ts';

const program = '/usr/local/bin/ballast-terminal';
const maxHistoryBytes = 8 * 1024 * 1024;

/** A view of a shell. */
export interface OpenTerminal {
  /** Whether the shell was there before. */
  readonly resumed: boolean;
  /** Its scrollback, above the screen; lines end in LF. */
  readonly history: string;
  readonly exec: TerminalExec;
}

/** Asks the sandbox which terminals there are: a learner can end them from within. */
export async function refreshTerminals(session: Session): Promise<void> {
  const sandbox = session.use();
  const result = await sandbox.shell.run([program, '--list'], { timeoutMs: 10_000, signal: sandbox.signal });
  const names = result.stdout.split('\n').filter((name) => terminalName.safeParse(name).success);
  session.terminals.clear();
  for (const name of names) session.terminals.add(name);
}

async function claim(session: Session, name: string): Promise<void> {
  if (session.terminals.has(name)) return;
  if (session.terminals.size >= session.lab.terminals) await refreshTerminals(session);
  if (session.terminals.size >= session.lab.terminals && !session.terminals.has(name)) {
    throw new BallastError('too_many_terminals', {
      message: `This lab allows no more than ${session.lab.terminals} terminals.`,
    });
  }
  session.terminals.add(name);
}

/**
 * Opens a view of the terminal `name`, starting its shell when there is none.
 * @throws BallastError session_not_ready, too_many_terminals, or what the engine says
 */
export async function openTerminal(
  engine: Engine,
  session: Session,
  name: string,
  size: { readonly cols: number; readonly rows: number },
): Promise<OpenTerminal> {
  const sandbox = session.use();
  await claim(session, name);
  try {
    const history = await sandbox.shell.run([program, '--history', name], {
      timeoutMs: 10_000,
      maxOutputBytes: maxHistoryBytes,
      signal: sandbox.signal,
    });
    const resumed = history.exitCode === 0;
    const exec = await engine.execTerminal(
      sandbox.id,
      { argv: [program, name, sandbox.labDir], user: 'learner', cwd: '/home/learner' },
      size,
    );
    if (!resumed) session.announce();
    return { resumed, history: resumed ? history.stdout : '', exec };
  } catch (error) {
    await refreshTerminals(session).catch(() => undefined);
    throw error;
  }
}

/** Ends the shell and all that runs in it; every view of it ends by itself. */
export async function killTerminal(session: Session, name: string): Promise<void> {
  const sandbox = session.use();
  await sandbox.shell.run([program, '--kill', name], { timeoutMs: 10_000, signal: sandbox.signal });
}

/** The shell has ended: its name is free again. */
export function forgetTerminal(session: Session, name: string): void {
  if (session.terminals.delete(name)) session.announce();
}
