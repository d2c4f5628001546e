import type { Progress } from '../engines/engine.ts';
import { runProgram } from './run-program.ts';

/** Seconds to wait for another apt, such as unattended-upgrades just after a machine has started. */
const lockSeconds = 120;

/**
 * Installs packages of Debian or Ubuntu on this machine, without what they only recommend. Needs root.
 * @throws BallastError setup_failed with what apt-get says
 */
export async function installDebianPackages(names: readonly string[], progress?: Progress): Promise<void> {
  const options = {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    hint: 'Check that apt works on this machine: run "apt-get update" as root.',
    ...(progress === undefined ? {} : { progress }),
  };
  await runProgram('apt-get', ['update', '-q'], options);
  const install = ['install', '-q', '-y', '--no-install-recommends', `-oDPkg::Lock::Timeout=${String(lockSeconds)}`];
  await runProgram('apt-get', [...install, ...names], options);
}
