import type { Engine, TerminalExec } from '../engines/engine.ts';
import { BallastError, terminalName } from '../protocol/index.ts';
import type { Session } from './session.ts';

const program = '/usr/local/bin/ballast-terminal';
/** Nobody sees it: a view is given its size when it is taken. */
const spareSize = { cols: 80, rows: 24 };

/** A view of a shell. It begins with what the shell has printed so far. */
export interface OpenTerminal {
  /** Whether the shell was there before. */
  readonly resumed: boolean;
  readonly exec: TerminalExec;
}

/** Asks the sandbox which terminals there are: a learner can end them from within. */
export async function refreshTerminals(session: Session): Promise<void> {
  const sandbox = session.use();
  const result = await sandbox.shell.run([program, '--list'], { timeoutMs: 10_000, signal: sandbox.signal });
  const listed = result.stdout.split('\n').filter((name) => terminalName.safeParse(name).success);
  session.terminals.clear();
  for (const name of [...listed, ...session.views.keys()]) session.terminals.add(name);
}

async function claim(session: Session, name: string): Promise<void> {
  const isFull = (): boolean => !session.terminals.has(name) && session.terminals.size >= session.lab.terminals;
  if (isFull()) await refreshTerminals(session);
  if (isFull()) {
    throw new BallastError('too_many_terminals', {
      message: `This lab allows no more than ${session.lab.terminals} terminals.`,
    });
  }
  session.terminals.add(name);
}

/** Counts a view of a terminal; returns how to end that. */
function enterView({ views }: Session, name: string): () => void {
  views.set(name, (views.get(name) ?? 0) + 1);
  return () => {
    const left = (views.get(name) ?? 1) - 1;
    if (left > 0) views.set(name, left);
    else views.delete(name);
  };
}

/**
 * Starts a view for whichever session is given the sandbox: which terminal it shows, of what size and where, it reads as
 * its first line. Starting a program in a container is what takes longest of a prompt's coming up.
 */
export async function openSpareView(engine: Engine, sandboxId: string): Promise<TerminalExec> {
  const spec = { argv: [program, '--spare'], user: 'learner', cwd: '/home/learner' } as const;
  const exec = await engine.execTerminal(sandboxId, spec, spareSize);
  // Until it is taken, nobody reads it; that it ends shall be no surprise.
  exec.stream.on('error', () => undefined);
  return exec;
}

/** The spare view of a session's sandbox as a view of the terminal; null when there is none that lives. */
function takeSpareView(
  session: Session,
  name: string,
  size: { readonly cols: number; readonly rows: number },
): TerminalExec | null {
  const { spareView } = session;
  session.spareView = null;
  if (spareView?.stream.writable !== true) return null;
  spareView.stream.write(`${name} ${String(size.rows)} ${String(size.cols)} ${session.labDir}\n`);
  return spareView;
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
  const resumed = session.terminals.has(name);
  await claim(session, name);
  // Until its shell is there, the sandbox does not list it: its view stands for it.
  const leave = enterView(session, name);
  try {
    const spec = { argv: [program, name, sandbox.labDir], user: 'learner', cwd: '/home/learner' } as const;
    const exec = takeSpareView(session, name, size) ?? (await engine.execTerminal(sandbox.id, spec, size));
    exec.stream.once('close', leave);
    if (!resumed) session.announce();
    return { resumed, exec };
  } catch (error) {
    leave();
    if (!resumed) session.terminals.delete(name);
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
