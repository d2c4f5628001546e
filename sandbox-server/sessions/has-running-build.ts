import type { Session } from './session.ts';

const timeoutMs = 5000;

/**
 * Whether something runs in the session that nobody needs to watch: a build, or its checks. A sandbox that does not
 * answer runs nothing.
 */
export async function hasRunningBuild(session: Session): Promise<boolean> {
  if (session.checking) return true;
  try {
    const { shell, signal } = session.use();
    const argv = ['/usr/bin/pgrep', '--full', '^([^ ]*/)?docker(-buildx)? (.* )?build '];
    return (await shell.run(argv, { timeoutMs, signal })).exitCode === 0;
  } catch {
    return false;
  }
}
