import { join } from 'node:path';
import { loadConfig, type Config } from '../config.ts';
import { connectDocker } from '../engines/docker/connect.ts';
import { checkKinds } from '../checks/kinds/index.ts';
import { loadLabs, type Lab } from '../labs/index.ts';
import { readHostId } from '../setup/host-id.ts';
import { readHostSystem } from '../setup/host-system.ts';
import { prepare, type Prepared } from '../setup/prepare.ts';
import { projectRoot } from './project.ts';

export interface Environment {
  readonly config: Config;
  readonly hostId: string;
  readonly labs: ReadonlyMap<string, Lab>;
  readonly prepared: Prepared;
}

/**
 * Configuration, labs and all set-up that a subcommand needs.
 * @throws BallastError config_invalid, lab_invalid, or what set-up met
 */
export async function prepareFor(options: {
  withSite: boolean;
  overrides?: { host?: string | undefined; port?: number | undefined };
}): Promise<Environment> {
  const config = loadConfig(process.env, options.overrides);
  const labs = await loadLabs(join(projectRoot, 'labs'), checkKinds());
  const hostId = readHostId(config.home);
  const refs = [...new Set([...labs.values()].flatMap((lab) => lab.images))].sort();
  const prepared = await prepare({
    root: projectRoot,
    config,
    host: readHostSystem(),
    hostId,
    connect: () => connectDocker(process.env),
    refs,
    withSite: options.withSite,
  });
  return { config, hostId, labs, prepared };
}
