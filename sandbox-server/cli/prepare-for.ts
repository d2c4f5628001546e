import { join } from 'node:path';
import { loadConfig, type Config } from '../config.ts';
import { connectDocker } from '../engines/docker/connect.ts';
import { checkKinds } from '../checks/kinds/index.ts';
import { createGateway } from '../gateway/index.ts';
import type { GraderOptions } from '../grading/index.ts';
import { LayerFiles } from '../images/layer-files.ts';
import { LayerKnowledge } from '../images/layer-memory.ts';
import { loadLabs, type Lab } from '../labs/index.ts';
import { BallastError } from '../protocol/index.ts';
import { createLogger } from '../observability/logger.ts';
import { reapEnded } from '../sessions/reap-ended.ts';
import { readChosenImages, wantedImages } from '../setup/chosen-images.ts';
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
  /** Called before set-up begins: the place to refuse a lab that does not exist. The images of those it gives are needed. */
  onLabs?: (labs: ReadonlyMap<string, Lab>) => readonly Lab[];
}): Promise<Environment> {
  const config = loadConfig(process.env, options.overrides);
  const labs = await loadLabs(join(projectRoot, 'labs'), checkKinds());
  const needed = options.onLabs?.(labs) ?? [];
  const hostId = readHostId(config.home);
  const refs = [...wantedImages(readChosenImages(config.home)), ...needed.flatMap((lab) => lab.images)];
  const prepared = await prepare({
    root: projectRoot,
    config,
    host: readHostSystem(),
    hostId,
    connect: () => connectDocker(process.env),
    refs,
    withSite: options.withSite,
  });
  await reapEnded(prepared.engine, hostId);
  return { config, hostId, labs, prepared };
}

/** Aborted by Ctrl-C and SIGTERM, so that what was begun is cleared away. */
export function interruption(): AbortSignal {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted.abort(new BallastError('shutting_down', { message: 'Interrupted.' }));
    });
  }
  return interrupted.signal;
}

/** What grading needs of it. Ctrl-C ends the grading and removes its sandbox. */
export function graderOptions({ config, hostId, prepared }: Environment): GraderOptions {
  return {
    engine: prepared.engine,
    image: prepared.image,
    storeVolume: prepared.store.volume,
    hostId,
    gateway: createGateway(config, createLogger(config.logLevel, process.stderr), () => prepared.store.registries),
    knowledge: new LayerKnowledge(new LayerFiles(join(config.home, 'layers'))),
    limits: config.sandbox,
    startTimeoutMs: config.sandbox.startSeconds * 1000,
    signal: interruption(),
  };
}

/**
 * A lab by the id that was typed.
 * @throws BallastError lab_not_found, naming those that are there
 */
export function findLab(labs: ReadonlyMap<string, Lab>, id: string): Lab {
  const lab = labs.get(id);
  if (lab !== undefined) return lab;
  throw new BallastError('lab_not_found', {
    message: `There is no lab "${id}".`,
    hint: `These are there: ${[...labs.keys()].join(', ')}.`,
  });
}
