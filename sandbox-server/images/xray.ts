import { posix } from 'node:path';
import type { ImageXray } from '../protocol/index.ts';
import { executableClass, isSetuid } from './executables.ts';
import type { ImageContents, LayerEntry } from './image-reader.ts';
import type { ImagePackage } from './packages.ts';

/** Of each list, at most this many; the counts beside them count all. */
const most = { folders: 12, files: 12, packages: 2000, executables: 500 } as const;

/**
 * An image opened up for people: what each layer brings, what a container sees, and what is there for nothing.
 * Environment variables are told by name alone: their values may be secrets, and the page may be shared.
 */
export function toXray(contents: ImageContents): Omit<ImageXray, 'secrets'> {
  const { id, ref, sizeBytes, layers, config, merged, packages, wastedBytes } = contents;
  const seen = [...merged].map(([path, { entry, layer }]) => ({ path, entry, layer }));
  const executables = seen.flatMap(({ entry, layer }) => {
    const kind = executableClass(entry) ?? (isSetuid(entry) ? ('setuid' as const) : undefined);
    return kind === undefined ? [] : [{ path: entry.path, kind, sizeBytes: entry.sizeBytes, layer }];
  });
  const added = addedPackages(layers);
  const linkage = { static: 0, dynamic: 0, unknown: 0 };
  for (const { entry } of seen) if (entry.elf !== undefined) linkage[entry.elf.linkage] += 1;
  return {
    ref,
    digest: id,
    sizeBytes,
    wastedBytes,
    config: {
      user: config.user,
      entrypoint: [...config.entrypoint],
      cmd: [...config.cmd],
      workingDir: config.workingDir,
      env: config.env.map((line) => line.split('=', 1)[0] ?? ''),
      exposedPorts: [...config.exposedPorts],
      labels: { ...config.labels },
      healthcheck: config.healthcheck !== null,
      architecture: config.architecture,
    },
    layers: layers.map((layer, index) => {
      const files = layer.entries.filter(({ type }) => type === 'file');
      const hidden = files.filter(({ path }) => merged.get(path)?.layer !== index);
      return {
        digest: layer.digest,
        createdBy: layer.createdBy,
        sizeBytes: layer.sizeBytes,
        files: files.length,
        deletes: layer.whiteouts.length + layer.opaque.length,
        hiddenBytes: hidden.reduce((sum, file) => sum + file.sizeBytes, 0),
        packages: added[index] ?? 0,
        largestFolders: largestFolders(files),
        largestFiles: largest(files).slice(0, most.files),
      };
    }),
    packages: {
      total: packages.length,
      list: packages
        .slice(0, most.packages)
        .map(({ system, name, version, path }) => ({ system, name, version, path })),
    },
    executables: { total: executables.length, linkage, list: executables.slice(0, most.executables) },
  };
}

/**
 * Packages that each layer brings. A layer that installs one writes the whole list anew: what a layer below lists in the
 * same file, in the same version, does not count.
 */
function addedPackages(layers: ImageContents['layers']): readonly number[] {
  const below = new Map<string, ReadonlySet<string>>();
  const named = ({ name, version }: ImagePackage): string => `${name}\0${version}`;
  return layers.map(({ packages }) => {
    let added = 0;
    for (const [path, listed] of Map.groupBy(packages, (each) => each.path)) {
      const known = below.get(path);
      added += listed.filter((each) => known?.has(named(each)) !== true).length;
      below.set(path, new Set(listed.map(named)));
    }
    return added;
  });
}

const largest = (files: readonly { readonly path: string; readonly sizeBytes: number }[]) =>
  files.map(({ path, sizeBytes }) => ({ path, sizeBytes })).sort((a, b) => b.sizeBytes - a.sizeBytes);

/** Folders with the bytes below them, as deep as two levels: "usr/lib". */
function largestFolders(files: readonly LayerEntry[]): { path: string; sizeBytes: number }[] {
  const sizes = new Map<string, number>();
  for (const { path, sizeBytes } of files) {
    const folder = posix.dirname(path).split('/').slice(0, 2).join('/');
    sizes.set(folder, (sizes.get(folder) ?? 0) + sizeBytes);
  }
  return largest([...sizes].map(([path, sizeBytes]) => ({ path, sizeBytes }))).slice(0, most.folders);
}
