import { installDebianPackages } from '../../sandbox-server/setup/install-packages.ts';
import { findProgram, readHostSystem } from '../../sandbox-server/setup/host-system.ts';

/**
 * Makes a program be there that tests need of the machine.
 * @param name of the program and of Debian's package
 * @returns whether it is there; not where it is missing and this is no root of a Debian
 * @throws what apt-get says
 */
export async function haveDebianPackage(name: string): Promise<boolean> {
  if (findProgram(name) !== null) return true;
  const { isRoot, isDebianLike } = readHostSystem();
  if (!isRoot || !isDebianLike) return false;
  await installDebianPackages([name]);
  return true;
}
