import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How to make what stands in for an official image where no registry answers. */
export type Equivalent =
  /** The bootstrap root file system itself. */
  | { readonly kind: 'bootstrap' }
  /** A Dockerfile in `base-images/<folder>/`, with the stage that makes each reference. */
  | { readonly kind: 'dockerfile'; readonly folder: string; readonly target: string };

export interface CatalogueEntry {
  /** As labs and learners write it; also what is pulled where its registry answers. */
  readonly ref: string;
  readonly equivalent: Equivalent;
}

/** The reference that equivalents are built from. */
export const bootstrapRef = 'debian:trixie-slim';

const distroless = (tag: string): CatalogueEntry => ({
  ref: `gcr.io/distroless/static-debian13:${tag}`,
  equivalent: { kind: 'dockerfile', folder: 'distroless-static', target: tag },
});

/** Every base image that labs may name, in the order in which they are obtained. */
export const catalogue: readonly CatalogueEntry[] = [
  { ref: bootstrapRef, equivalent: { kind: 'bootstrap' } },
  { ref: 'golang:1.24', equivalent: { kind: 'dockerfile', folder: 'golang', target: 'golang' } },
  distroless('latest'),
  distroless('nonroot'),
  distroless('debug'),
  distroless('debug-nonroot'),
];

/** A reference with its tag spelled out: "golang" is "golang:latest". */
export function withTag(ref: string): string {
  return /[:@][^/]*$/.test(ref) ? ref : `${ref}:latest`;
}

/** The registry that a reference is pulled from, as a name to group by; references without a host share Docker's. */
export function registryOf(ref: string): string {
  const [first = '', ...rest] = ref.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
}

const here = fileURLToPath(new URL('.', import.meta.url));

/** Files of an equivalent's build context: name to content, sorted by name. */
export async function contextFiles(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(join(here, folder))).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(here, folder, name))] as const)),
  );
}
