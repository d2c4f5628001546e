import type { ImageContents } from './image-reader.ts';
import type { ImagePackage } from './packages.ts';

/** What an image says of the Debian packages in it. */
export interface DebianPackages {
  /** Suite of a Debian release: "trixie". Null when the image does not say that it is of Debian, and of which release. */
  readonly release: string | null;
  /** As Debian spells it: "amd64", "armhf". Null for one that Debian has not. */
  readonly architecture: string | null;
  readonly packages: readonly ImagePackage[];
  /** Packages among them whose list a later layer deletes or empties: they are in the image all the same. */
  readonly hidden: number;
  /** Packages of other systems. */
  readonly others: readonly ImagePackage[];
}

/** Debian's names of what images call their architecture; those left out are the same. */
const architectures: ReadonlyMap<string, string> = new Map([
  ['amd64', 'amd64'],
  ['arm64', 'arm64'],
  ['arm', 'armhf'],
  ['386', 'i386'],
  ['ppc64le', 'ppc64el'],
  ['riscv64', 'riscv64'],
  ['s390x', 's390x'],
]);

/**
 * The packages that an image lists. Each file that lists packages counts as the last layer with something in it has it:
 * deleting the list deletes no package.
 */
export function listedPackages(layers: ImageContents['layers']): ImagePackage[] {
  const byList = new Map<string, readonly ImagePackage[]>();
  for (const { packages } of layers) {
    for (const [path, listed] of Map.groupBy(packages, (each) => each.path)) byList.set(path, listed);
  }
  return [...byList.values()].flat();
}

/** The Debian packages of an image, those of a list that was deleted included. */
export function debianPackages({
  layers,
  config,
  text,
  packages: visible,
}: Pick<ImageContents, 'layers' | 'config' | 'text' | 'packages'>): DebianPackages {
  const isDebian = ({ system }: ImagePackage): boolean => system === 'dpkg';
  const packages = listedPackages(layers).filter(isDebian);
  return {
    release: debianRelease(text.get('etc/os-release') ?? ''),
    architecture: architectures.get(config.architecture) ?? null,
    packages,
    hidden: packages.length - visible.filter(isDebian).length,
    others: visible.filter((each) => !isDebian(each)),
  };
}

/** The suite of a Debian image, by its os-release; null for anything else. Distroless images have no VERSION_CODENAME. */
export function debianRelease(osRelease: string): string | null {
  const field = (name: string): string | undefined => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(osRelease)?.[1];
  if (field('ID') !== 'debian') return null;
  const name = field('VERSION_CODENAME') ?? /\((\w+)\)$/.exec(field('VERSION') ?? '')?.[1];
  return name !== undefined && /^[a-z]{1,20}$/.test(name) ? name : null;
}
