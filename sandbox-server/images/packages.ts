import type { GoBuildInfo } from './go-build-info.ts';

/** One package that an image says it holds. */
export interface ImagePackage {
  readonly system: 'dpkg' | 'apk' | 'go' | 'python' | 'npm';
  readonly name: string;
  readonly version: string;
  /** Source package that it was built from, where the package system tells: dpkg does. */
  readonly source?: { readonly name: string; readonly version: string };
  /** File that says so, without a leading slash. */
  readonly path: string;
}

type Parser = (text: string, path: string) => ImagePackage[];

/** Files that list packages. A file past `maxBytes` is read that far: what matters stands first, or is a list. */
interface PackageFile {
  readonly path: RegExp;
  readonly maxBytes: number;
  readonly parse: Parser;
}

const mebibyte = 1024 ** 2;

const packageFiles: readonly PackageFile[] = [
  { path: /^var\/lib\/dpkg\/status$/, maxBytes: 16 * mebibyte, parse: parseDpkg },
  { path: /^var\/lib\/dpkg\/status\.d\/(?!.*\.md5sums$)[^/]+$/, maxBytes: mebibyte, parse: parseDpkg },
  { path: /^(usr\/)?lib\/apk\/db\/installed$/, maxBytes: 16 * mebibyte, parse: parseApk },
  { path: /\.dist-info\/METADATA$|\.egg-info\/PKG-INFO$/, maxBytes: 64 * 1024, parse: parsePython },
  { path: /(^|\/)node_modules\/(@[^/]+\/)?[^/@]+\/package\.json$/, maxBytes: mebibyte, parse: parseNpm },
];

/** How to read a file that lists packages; undefined for any other file. */
export function packageFile(path: string): PackageFile | undefined {
  return packageFiles.find((file) => file.path.test(path));
}

/** "Name: value" lines of the first paragraph, and so on for each; lines that go on are of no interest here. */
function paragraphs(text: string): Map<string, string>[] {
  return text.split(/\n\s*\n/).map(
    (paragraph) =>
      new Map(
        paragraph.split('\n').flatMap((line) => {
          const at = line.indexOf(':');
          return at <= 0 || /^\s/.test(line) ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const];
        }),
      ),
  );
}

function parseDpkg(text: string, path: string): ImagePackage[] {
  return paragraphs(text).flatMap((fields) => {
    const name = fields.get('Package');
    const status = fields.get('Status');
    // Distroless images write no status; dpkg keeps an entry for what was removed but for its configuration.
    if (name === undefined || (status !== undefined && !status.endsWith(' installed'))) return [];
    const version = fields.get('Version') ?? '';
    const [, source, sourceVersion] = /^(\S+)(?: \(([^)]+)\))?$/.exec(fields.get('Source') ?? '') ?? [];
    const known = { system: 'dpkg' as const, name, version, path };
    // A rebuild's "+b1" is of the binary alone.
    return source === undefined
      ? [known]
      : [{ ...known, source: { name: source, version: sourceVersion ?? version.replace(/\+b\d+$/, '') } }];
  });
}

function parseApk(text: string, path: string): ImagePackage[] {
  return paragraphs(text).flatMap((fields) => {
    const name = fields.get('P');
    return name === undefined ? [] : [{ system: 'apk' as const, name, version: fields.get('V') ?? '', path }];
  });
}

function parsePython(text: string, path: string): ImagePackage[] {
  const fields = paragraphs(text)[0];
  const name = fields?.get('Name');
  return name === undefined ? [] : [{ system: 'python', name, version: fields?.get('Version') ?? '', path }];
}

function parseNpm(text: string, path: string): ImagePackage[] {
  try {
    const { name, version } = JSON.parse(text) as { readonly name?: unknown; readonly version?: unknown };
    // Folders inside a package may have a package.json of their own, without a version.
    return typeof name === 'string' && typeof version === 'string' ? [{ system: 'npm', name, version, path }] : [];
  } catch (error) {
    // Packages ship broken files as data for their own tests.
    if (error instanceof SyntaxError || error instanceof TypeError) return [];
    throw error;
  }
}

/** The packages inside a Go program: the standard library, the program's own module, and those it uses. */
export function goPackages({ goVersion, modules }: GoBuildInfo, path: string): ImagePackage[] {
  const all = [{ name: 'stdlib', version: goVersion.replace(/^go/, '') }, ...modules];
  return all.map(({ name, version }) => ({ system: 'go', name, version, path }));
}
