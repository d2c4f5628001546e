import type { Duplex } from 'node:stream';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { BallastError } from '../../protocol/index.ts';
import type { ExecSpec, RunningExec, TerminalExec } from '../engine.ts';
import { demultiplex } from './demux.ts';
import { engineCall, isNotFound, toBallastError } from './errors.ts';

/** The output can end a moment before the engine has noted the exit code. */
const exitCodeWaitMs = 10_000;
const exitCodePollMs = 10;

/** Engines before API 1.42 start a program on a terminal without a size: it would see none until it is resized. */
const setSize = 'stty rows "$0" cols "$1"; shift; exec "$@"';

async function start(
  docker: Docker,
  id: string,
  spec: ExecSpec,
  tty: boolean,
): Promise<{ exec: Docker.Exec; socket: Duplex }> {
  return engineCall('run a program in the sandbox', async () => {
    const exec = await docker.getContainer(id).exec({
      Cmd: [...spec.argv],
      User: spec.user ?? 'learner',
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: tty,
      Env: Object.entries(spec.env ?? {}).map(([name, value]) => `${name}=${value}`),
      ...(spec.cwd === undefined ? {} : { WorkingDir: spec.cwd }),
    });
    const socket = await exec.start({ hijack: true, stdin: true, Tty: tty });
    return { exec, socket };
  });
}

async function readExitCode(exec: Docker.Exec): Promise<number> {
  const until = Date.now() + exitCodeWaitMs;
  for (;;) {
    let state: Docker.ExecInspectInfo;
    try {
      state = await exec.inspect();
    } catch (cause) {
      if (isNotFound(cause)) throw new BallastError('engine_failed', { message: 'The sandbox has gone.', cause });
      throw toBallastError(cause, 'read the exit code');
    }
    if (!state.Running && state.ExitCode !== null) return state.ExitCode;
    if (Date.now() > until)
      throw new BallastError('engine_failed', { message: 'The Docker Engine gave no exit code.' });
    await delay(exitCodePollMs);
  }
}

/**
 * Keystrokes and input on their way to a program. Ending it half-closes the connection, so that the program sees the
 * end of its input. What comes after the program has gone is dropped: its exit code tells the story.
 */
function inputTo(socket: Duplex): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, callback) {
      if (socket.destroyed || socket.writableEnded) callback();
      else
        socket.write(chunk, () => {
          callback();
        });
    },
    final(callback) {
      if (socket.destroyed || socket.writableEnded) callback();
      else
        socket.end(() => {
          callback();
        });
    },
  });
}

/** Run a program without a terminal. @throws BallastError engine_failed and the like. */
export async function execProgram(docker: Docker, id: string, spec: ExecSpec): Promise<RunningExec> {
  const { exec, socket } = await start(docker, id, spec, false);
  const { stdout, stderr } = demultiplex(socket);
  return {
    stdin: inputTo(socket),
    stdout,
    stderr,
    async exitCode() {
      await Promise.all([finished(stdout), finished(stderr)]);
      return readExitCode(exec);
    },
    destroy() {
      socket.destroy();
    },
  };
}

/** Run a program on a pseudo-terminal. @throws BallastError engine_failed and the like. */
export async function execOnTerminal(
  docker: Docker,
  id: string,
  spec: ExecSpec,
  size: { cols: number; rows: number },
): Promise<TerminalExec> {
  const sized: ExecSpec = {
    ...spec,
    argv: ['/bin/sh', '-c', setSize, String(size.rows), String(size.cols), ...spec.argv],
    env: { TERM: 'xterm-256color', COLORTERM: 'truecolor', ...spec.env },
  };
  const { exec, socket } = await start(docker, id, sized, true);
  socket.on('error', () => undefined);
  const resize = async (cols: number, rows: number): Promise<void> => {
    try {
      await exec.resize({ w: cols, h: rows });
    } catch (cause) {
      // A program that has just ended has no size; its end is reported by the stream.
      const state = await exec.inspect().catch(() => null);
      if (state?.Running === true) throw toBallastError(cause, 'resize the terminal');
    }
  };
  return {
    stream: socket,
    resize,
    async exitCode() {
      await finished(socket, { writable: false }).catch(() => undefined);
      return readExitCode(exec);
    },
    destroy() {
      socket.destroy();
    },
  };
}
