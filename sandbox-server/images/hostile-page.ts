import { defaultCaps } from './caps.ts';

/** The sources of the tests that the page lists, as text. */
export interface HostileTests {
  /** images/hostile.test.ts */
  readonly hostile: string;
  /** images/archive-image-reader.test.ts */
  readonly reader: string;
}

/** The page on archives that are made to hurt: what is tried, and the limits that hold. */
export function hostilePage({ hostile, reader }: HostileTests): string {
  const start = reader.indexOf("describe('a hostile or broken archive'");
  const block = reader.slice(start, reader.indexOf('\n});', start));
  const count = (value: number): string => value.toLocaleString('en');
  const gibibytes = (bytes: number): string => `${String(bytes / 1024 ** 3)} GiB`;
  const mebibytes = (bytes: number): string => `${String(bytes / 1024 ** 2)} MiB`;
  const caps: readonly (readonly [string, string])[] = [
    ['bytes of the archive', gibibytes(defaultCaps.archiveBytes)],
    ['bytes of all layers, uncompressed', gibibytes(defaultCaps.layerBytes)],
    ['uncompressed bytes for each compressed one', count(defaultCaps.ratio)],
    ['layers', count(defaultCaps.layers)],
    ['files and folders', count(defaultCaps.entries)],
    ['bytes of one path', count(defaultCaps.pathBytes)],
    ['folders in one path', count(defaultCaps.pathDepth)],
    ['bytes of all paths', mebibytes(defaultCaps.allPathBytes)],
    ['names in all paths, "usr/bin/env" being three', count(defaultCaps.pathNames)],
    ['bytes of one JSON document, and of one list of users', mebibytes(defaultCaps.documentBytes)],
    ['bytes of all of these', mebibytes(defaultCaps.allTextBytes)],
    ['JSON documents', count(defaultCaps.documents)],
    ['packages', count(defaultCaps.packages)],
    ['memory of the reading thread', `${String(defaultCaps.heapMebibytes)} MiB`],
    ['time for one image', `${String(defaultCaps.timeoutMs / 1000)} seconds`],
  ];
  return [
    '<!-- Written by "npm run lab-schema" from the tests and the limits themselves. -->',
    '',
    '# Archives that are made to hurt',
    '',
    "Images come from learners' engines: their archives may lie and may explode. They are read in a thread of their own, piece by piece; nothing is written to disk, links are followed inside of the image alone, and a layer counts as known only where its bytes have the digest that its name says. Whatever is wrong ends in `too_large` or `image_unreadable`, for the one who asked, and the server lives on; where an image of their own is judged, that is a failed check. Damage by chance comes from a seed, which a failure prints: `BALLAST_FUZZ_SEED` brings it back. An error that is none of these two is a bug, and fails the test.",
    '',
    '## What is tried',
    '',
    'In `sandbox-server/images/hostile.test.ts`:',
    '',
    ...titles(hostile).map((title) => `- ${title}`),
    '',
    'In `sandbox-server/images/archive-image-reader.test.ts`, an archive …',
    '',
    ...titles(block).map((title) => `- ${title}`),
    '',
    'Run them with `npx vitest run --project unit sandbox-server/images`; `npm test` does.',
    '',
    '## The limits',
    '',
    '| Of one image | At most |',
    '| --- | --- |',
    ...caps.map(([what, most]) => `| ${what} | ${most} |`),
    '',
  ].join('\n');
}

const titles = (source: string): string[] =>
  [...source.matchAll(/^ *(?:it\(|\]\)\(|it\.each\(.*\)\()'([^']+)'/gm)].map(([, title = '']) =>
    title.replaceAll('%s', '…'),
  );
