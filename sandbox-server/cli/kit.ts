import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { loadConfig } from '../config.ts';
import { connectDocker } from '../engines/docker/connect.ts';
import { exportKit } from '../kit/export-kit.ts';
import { importKit } from '../kit/import-kit.ts';
import { formatBytes } from '../labs/quantities.ts';
import { BallastError } from '../protocol/index.ts';
import { readHostId } from '../setup/host-id.ts';
import { readHostSystem } from '../setup/host-system.ts';
import { ensureEngine } from '../setup/install-engine.ts';
import { findStore, storeRecipe } from '../setup/prepare-store.ts';
import { interruption, prepareFor } from './prepare-for.ts';
import { ballastVersion, projectRoot } from './project.ts';

/** `ballast kit export FILE`: set up what is missing, then pack it all into one file. */
export async function kitExport(file: string): Promise<void> {
  // Told before minutes of set-up, not after them.
  const folder = dirname(resolve(file));
  if ((await stat(folder).catch(() => null))?.isDirectory() !== true)
    throw new BallastError('bad_request', {
      message: `${folder} is not a folder.`,
      hint: 'Name a file in one that is there.',
    });
  const { config, hostId, prepared } = await prepareFor({ withSite: true });
  const { engine, image } = prepared;
  const { volume, manifest } = await findStore(engine, {
    image,
    host: hostId,
    config,
    progress: () => undefined,
  });
  if (manifest === null) throw new BallastError('images_missing');
  const { size, sha256 } = await exportKit(file, {
    root: projectRoot,
    version: ballastVersion(),
    engine,
    image,
    store: { volume, recipe: await storeRecipe(config), manifest },
    hostId,
    signal: interruption(),
  });
  process.stdout.write(`${sha256}  ${file}\n`);
  process.stderr.write(
    `\nThe kit is ${formatBytes(size)}. On the other machine: node bin/ballast.mjs kit import ${file}\n`,
  );
}

/** `ballast kit import FILE`: bring all that is in a kit to this machine, which needs no network for it. */
export async function kitImport(file: string): Promise<void> {
  const config = loadConfig();
  await importKit(file, {
    root: projectRoot,
    config,
    hostId: readHostId(config.home),
    connect: async (progress) => {
      const found = await ensureEngine(() => connectDocker(process.env), {
        host: readHostSystem(),
        home: config.home,
        environment: process.env,
        progress,
      });
      return found.engine;
    },
    signal: interruption(),
  });
  process.stderr.write('\nAll is here. Start the workshop: npm start\n');
}
