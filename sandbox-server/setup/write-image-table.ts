import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from '../base-images/catalogue.ts';
import { differenceOf } from '../base-images/differences.ts';
import { parseManifest } from '../base-images/manifest.ts';
import { loadConfig } from '../config.ts';
import { BallastError } from '../protocol/index.ts';
import { inWords } from './describe-store.ts';

// Writes the table of docs/base-images.md from what the newest store of this server's folder says of itself.
const page = new URL('../../docs/base-images.md', import.meta.url);
const [begin, end] = ['<!-- images:start -->', '<!-- images:end -->'];

const folder = join(loadConfig().home, 'stores');
const newest = readdirSync(folder)
  .map((name) => join(folder, name))
  .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)
  .at(0);
const manifest = parseManifest(newest === undefined ? '' : readFileSync(newest, 'utf8'));
if (manifest === null) throw new BallastError('images_missing', { hint: 'Run "npx ballast setup --track all" first.' });

const rows = catalogue.map(({ ref, tracks }) => {
  const image = manifest.images.find((one) => one.ref === ref);
  const [seconds, size] = image === undefined ? ['', ''] : [image.seconds.toFixed(1), inWords(image.sizeBytes)];
  return `| \`${ref}\` | ${tracks.join(', ')} | ${seconds} | ${size} | ${differenceOf(ref)} |`;
});
const table = [
  '| reference | track | seconds | size | how the equivalent differs from the official image |',
  '| --- | --- | --: | --: | --- |',
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
