import { mkdirSync } from 'node:fs';
import type { Config } from '../config.ts';
import type { Engine } from '../engines/engine.ts';
import { BallastError } from '../protocol/index.ts';
import { buildSite } from './build-site.ts';
import { describeStore, imageTable, inWords } from './describe-store.ts';
import { freeBytes, type HostSystem } from './host-system.ts';
import { ensureEngine } from './install-engine.ts';
import { prepareSandboxImage } from './prepare-sandbox-image.ts';
import { prepareStore, type PreparedStore } from './prepare-store.ts';
import { runStages, type Stage } from './stages.ts';

/** What the server, the grader and the tests need to have before they can make a sandbox. */
export interface Prepared {
  readonly engine: Engine;
  /** Reference of the sandbox image in the engine. */
  readonly image: string;
  readonly store: PreparedStore;
  /** Folder of the built site; null where it was not asked for. */
  readonly siteDir: string | null;
}

export interface PrepareOptions {
  readonly root: string;
  readonly config: Config;
  readonly host: HostSystem;
  readonly hostId: string;
  readonly connect: () => Promise<Engine>;
  /** Base images that must be there. */
  readonly refs: readonly string[];
  readonly withSite: boolean;
}

const gigabyte = 1e9;
/** Sandbox image, and what building it takes for a while. */
const neededBytes = 2 * gigabyte;

/** Where the engine keeps its data, if that is on this machine; else our own folder. */
async function assertDisk(engine: Engine, config: Config): Promise<void> {
  const { rootDir } = await engine.info();
  for (const folder of [rootDir, config.home]) {
    const free = await freeBytes(folder).catch(() => Infinity);
    if (free < neededBytes) {
      throw new BallastError('disk_full', {
        message: `Only ${inWords(free)} are free for ${folder}; set-up needs ${inWords(neededBytes)}.`,
        hint: 'Free some space ("docker system df" shows what the engine uses), then try again.',
      });
    }
  }
}

/**
 * All set-up, in stages that are shown as they go. Safe to run again, and quick when there is nothing to do.
 * @throws BallastError of the stage that failed
 */
export async function prepare(options: PrepareOptions): Promise<Prepared> {
  const { root, config, host, hostId, connect, refs, withSite } = options;
  mkdirSync(config.home, { recursive: true });
  let engine: Engine | undefined;
  let image: string | undefined;
  let store: PreparedStore | undefined;
  let siteDir: string | null = null;

  const need = <T>(value: T | undefined): T => {
    if (value === undefined) throw new BallastError('internal', { message: 'Set-up stages ran out of order.' });
    return value;
  };

  const stages: Stage[] = [
    {
      title: 'Docker Engine',
      run: async (progress) => {
        const found = await ensureEngine(connect, { host, home: config.home, environment: process.env, progress });
        engine = found.engine;
        return `${(await engine.info()).version}, ${found.done}`;
      },
    },
    {
      title: 'Sandbox image',
      run: async (progress) => {
        const made = await prepareSandboxImage(need(engine), {
          config,
          host,
          progress,
          beforeBuild: () => assertDisk(need(engine), config),
        });
        image = made.image;
        return made.built ? 'built' : 'ready';
      },
    },
    {
      title: 'Base images',
      run: async (progress) => {
        const made = await prepareStore(need(engine), { image: need(image), refs, host: hostId, config, progress });
        store = made;
        return describeStore(made);
      },
    },
  ];
  if (withSite) {
    stages.push({
      title: 'Site',
      run: async (progress) => {
        const site = await buildSite(root, progress);
        siteDir = site.siteDir;
        return site.built ? 'built' : 'ready';
      },
    });
  }
  await runStages(stages);
  const { images, obtained } = need(store);
  // To where progress goes: results have standard output.
  if (obtained.length > 0)
    process.stderr.write(`\nObtained:\n${imageTable(images.filter(({ ref }) => obtained.includes(ref)))}`);
  return { engine: need(engine), image: need(image), store: need(store), siteDir };
}
