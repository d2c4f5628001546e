import { readFileSync, writeFileSync } from 'node:fs';
import { catalogue } from '../base-images/catalogue.ts';
import { differenceOf } from '../base-images/differences.ts';
import { officialImages, officialSources } from '../base-images/official-images.ts';
import { Seeder } from '../base-images/seeder.ts';
import { loadConfig } from '../config.ts';
import { connectDocker } from '../engines/docker/connect.ts';
import { BallastError } from '../protocol/index.ts';
import { newSessionId } from '../sessions/credentials.ts';
import { startSandbox } from '../sessions/start-sandbox.ts';
import { inWords } from '../setup/describe-store.ts';
import { readHostId } from '../setup/host-id.ts';
import { sandboxImageRef } from '../setup/prepare-sandbox-image.ts';
import { findStore } from '../setup/prepare-store.ts';

// Writes the table of docs/base-images.md from what the store of base images says of itself, and the images in it.
const page = new URL('../../docs/base-images.md', import.meta.url);
const [begin, end] = ['<!-- images:start -->', '<!-- images:end -->'];
const unknown = 'not known here';

const config = loadConfig();
const engine = await connectDocker(process.env);
const host = readHostId(config.home);
const image = await sandboxImageRef(config);
const { volume, manifest } = await findStore(engine, { image, host, config, progress: () => undefined });
if (manifest === null) throw new BallastError('images_missing', { hint: 'Run "npx ballast setup --track all" first.' });

/** Programs whose version is that of an image, by the end of the path in which a shell finds them. */
const askVersion = {
  'golang:': ['go', 'version'],
  'python:': ['python3', '--version'],
  'node:': ['node', '--version'],
  'rust:': ['rustc', '--version'],
  'eclipse-temurin:': ['java', '--version'],
  'maven:': ['mvn', '--version'],
  'busybox:': ['busybox'],
  'debian:': ['cat', '/etc/debian_version'],
  'gcr.io/distroless/python3': ['--version'],
  'gcr.io/distroless/nodejs20': ['--version'],
  'gcr.io/distroless/java21': ['--entrypoint=/usr/bin/java', '--version'],
} as const;

/** The version that the program of each image prints, by reference. */
async function versions(refs: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { id } = await startSandbox(
    engine,
    {
      ...{ session: newSessionId(), kind: 'sandbox', host, image, storeVolume: volume, limits: config.sandbox },
      ...{ network: 'none', hostname: 'table', env: {} },
    },
    { timeoutMs: config.sandbox.startSeconds * 1000, lease: true },
  );
  try {
    const sandbox = new Seeder(engine, id);
    const found = new Map<string, string>();
    for (const ref of refs) {
      const argv = Object.entries(askVersion).find(([start]) => ref.startsWith(start))?.[1];
      if (argv === undefined) continue;
      const options = argv.filter((word) => word.startsWith('--entrypoint='));
      const rest = argv.filter((word) => !word.startsWith('--entrypoint='));
      const said = await sandbox.run(['/usr/bin/docker', 'run', '--rm', '--network=none', ...options, ref, ...rest]);
      found.set(ref, /\d+\.\d+(\.\d+)?/.exec(said)?.[0] ?? '');
    }
    return found;
  } finally {
    await engine.removeSandbox(id);
  }
}

const version = await versions(manifest.images.flatMap(({ ref, origin }) => (origin === 'equivalent' ? [ref] : [])));
const rows = catalogue.map(({ ref, tracks }) => {
  const made = manifest.images.find((one) => one.ref === ref);
  const official = officialImages[ref];
  const known = official === undefined ? unknown : `[${official.size}](${officialSources[official.source]})`;
  const cells = [
    ...[`\`${ref}\``, tracks.join(', ')],
    ...(made === undefined
      ? ['not measured here', 'not measured here', '']
      : [made.seconds.toFixed(1), inWords(made.sizeBytes), version.get(ref) ?? 'Debian 13']),
    ...[known, official?.version ?? unknown, differenceOf(ref)],
  ];
  return `| ${cells.join(' | ')} |`;
});
const table = [
  '| reference | track | seconds | size | version | official size | official version | how the equivalent differs from the official image |',
  '| --- | --- | --: | --: | --- | --: | --- | --- |',
  ...rows,
  '',
  `Together they take ${inWords(manifest.diskBytes)} of disk: layers that they share count once.`,
].join('\n');
const text = readFileSync(page, 'utf8');
const [before = '', rest = ''] = text.split(begin);
const after = rest.split(end)[1] ?? '';
writeFileSync(
  page,
  `${before}${begin}\n\n<!-- prettier-ignore-start -->\n\n${table}\n\n<!-- prettier-ignore-end -->\n\n${end}${after}`,
);
