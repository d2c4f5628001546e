import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { languageTracks, type Track } from './tracks.ts';

/** How to make what stands in for an official image where no registry answers. */
export type Equivalent =
  /** The bootstrap root file system itself. */
  | { readonly kind: 'bootstrap' }
  /** A Dockerfile in `base-images/<folder>/`, with the stage that makes each reference. */
  | {
      readonly kind: 'dockerfile';
      readonly folder: string;
      readonly target: string;
      /** Its Dockerfile has a stage `version` and takes what that says as the argument VERSION. */
      readonly versioned: boolean;
      /** Other references of the catalogue that it is built on. */
      readonly on: readonly string[];
    };

export interface CatalogueEntry {
  /** As labs and learners write it; also what is pulled where its registry answers. */
  readonly ref: string;
  /** Sets of images that it is in. */
  readonly tracks: readonly Track[];
  readonly equivalent: Equivalent;
  /** Disk that obtaining it takes at most, pulled or built, in megabytes; what others have brought already counts too. */
  readonly diskMegabytes: number;
}

/** The reference that equivalents are built from. */
export const bootstrapRef = 'debian:trixie-slim';

interface Recipe {
  readonly tracks: readonly Track[];
  readonly folder: string;
  readonly target: string;
  readonly diskMegabytes: number;
  readonly versioned?: boolean;
  readonly on?: readonly string[];
}

const entry = (ref: string, { tracks, folder, target, diskMegabytes, versioned = false, on = [] }: Recipe) => ({
  ref,
  tracks,
  diskMegabytes,
  equivalent: { kind: 'dockerfile' as const, folder, target, versioned, on },
});

/** The four tags of a distroless image. Official tags and stages have the same names, but for what comes before them. */
function distroless(name: string, recipe: Omit<Recipe, 'target'> & { readonly stage?: string }): CatalogueEntry[] {
  return ['latest', 'nonroot', 'debug', 'debug-nonroot'].map((tag) => {
    const stage = recipe.stage === undefined ? tag : tag === 'latest' ? recipe.stage : `${recipe.stage}-${tag}`;
    return entry(`gcr.io/distroless/${name}-debian13:${tag}`, { ...recipe, target: stage });
  });
}

const cc = 'gcr.io/distroless/cc-debian13';
const onCc = [`${cc}:latest`, `${cc}:debug`];

/** Every base image that labs may name, in the order in which they are obtained. */
export const catalogue: readonly CatalogueEntry[] = [
  { ref: bootstrapRef, tracks: ['core'], equivalent: { kind: 'bootstrap' }, diskMegabytes: 90 },
  entry('golang:1.24', { tracks: ['core'], folder: 'golang', target: 'golang', versioned: true, diskMegabytes: 1000 }),
  ...(['static', 'base', 'cc'] as const).flatMap((name) =>
    distroless(name, { tracks: ['core'], folder: 'distroless', stage: name, diskMegabytes: 30 }),
  ),
  entry('busybox:latest', { tracks: ['core'], folder: 'distroless', target: 'busybox', diskMegabytes: 5 }),
  entry('debian:trixie', { tracks: languageTracks, folder: 'debian', target: 'debian', diskMegabytes: 200 }),

  entry('python:3.13-slim', {
    ...{ tracks: ['python'], folder: 'python', target: 'python-slim', versioned: true, diskMegabytes: 250 },
  }),
  entry('python:3.13', {
    ...{ tracks: ['python'], folder: 'python', target: 'python', versioned: true, diskMegabytes: 1100 },
  }),
  ...distroless('python3', { tracks: ['python'], folder: 'distroless-python', on: onCc, diskMegabytes: 80 }),

  entry('node:20-slim', {
    ...{ tracks: ['node'], folder: 'node', target: 'node-slim', versioned: true, diskMegabytes: 400 },
  }),
  entry('node:20', { tracks: ['node'], folder: 'node', target: 'node', versioned: true, diskMegabytes: 1200 }),
  ...distroless('nodejs20', { tracks: ['node'], folder: 'distroless-node', on: onCc, diskMegabytes: 160 }),

  entry('rust:1.85-slim', {
    ...{ tracks: ['rust'], folder: 'rust', target: 'rust-slim', diskMegabytes: 1000 },
  }),
  entry('rust:1.85', { tracks: ['rust'], folder: 'rust', target: 'rust', diskMegabytes: 1100 }),

  entry('eclipse-temurin:21-jre', {
    ...{ tracks: ['java'], folder: 'java', target: 'temurin-jre', versioned: true, diskMegabytes: 400 },
  }),
  entry('eclipse-temurin:21-jdk', {
    ...{ tracks: ['java'], folder: 'java', target: 'temurin-jdk', versioned: true, diskMegabytes: 400 },
  }),
  entry('maven:3-eclipse-temurin-21', {
    ...{ tracks: ['java'], folder: 'java', target: 'maven', versioned: true, diskMegabytes: 300 },
  }),
  ...distroless('java21', {
    ...{ tracks: ['java'], folder: 'distroless-java', versioned: true, on: onCc, diskMegabytes: 300 },
  }),
];

/** A reference with its tag spelled out: "golang" is "golang:latest". */
export function withTag(ref: string): string {
  return /[:@][^/]*$/.test(ref) ? ref : `${ref}:latest`;
}

/** The entry of a reference; undefined where the catalogue has none. */
export function findEntry(ref: string): CatalogueEntry | undefined {
  const full = withTag(ref);
  return catalogue.find((candidate) => candidate.ref === full);
}

/** The registry that a reference is pulled from, as a name to group by; references without a host share Docker's. */
export function registryOf(ref: string): string {
  const [first = '', ...rest] = ref.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

const here = fileURLToPath(new URL('.', import.meta.url));

async function readFolder(folder: string): Promise<(readonly [string, Buffer])[]> {
  const names = (await readdir(join(here, folder))).sort();
  return Promise.all(names.map(async (name) => [name, await readFile(join(here, folder, name))] as const));
}

/**
 * Files of an equivalent's build context, name to content: those of its folder, and in common/ the scripts that all
 * share. Its Dockerfile begins with the stages that all share.
 */
export async function contextFiles(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const common = new Map(await readFolder('common'));
  const own = new Map(await readFolder(folder));
  const stages = [common.get('Dockerfile'), own.get('Dockerfile')].filter((text) => text !== undefined);
  common.delete('Dockerfile');
  return new Map([
    ...[...common].map(([name, content]) => [`common/${name}`, content] as const),
    ...own,
    ['Dockerfile', Buffer.concat(stages)],
  ]);
}

/** A hash of all that goes into an equivalent, but for the packages themselves: when it changes, so may the image. */
export async function recipeHash(of: CatalogueEntry): Promise<string> {
  const hash = createHash('sha256');
  if (of.equivalent.kind === 'dockerfile') {
    const { folder, target, on } = of.equivalent;
    for (const [name, content] of await contextFiles(folder))
      hash.update(`${name}\0${String(content.length)}\0`).update(content);
    hash.update(target);
    for (const base of on.flatMap((ref) => findEntry(ref) ?? [])) hash.update(await recipeHash(base));
  }
  return hash.digest('hex').slice(0, 16);
}
