import { registryOf } from './catalogue.ts';
import type { Registries, RegistryAuthSettings } from './registry-settings.ts';

/** Where Docker's own registry answers; references only say docker.io. */
const dockerHubApi = 'registry-1.docker.io';
const defaultWaitSeconds = 300;

/** Where one reference is pulled from. */
export interface PullSource {
  /** As labs write it. */
  readonly ref: string;
  /** The registry that it names: "docker.io". */
  readonly registry: string;
  /** Who is asked, for messages: the mirror's host, or the registry. */
  readonly host: string;
  /** What an engine is told to pull; `ref` itself where there is no mirror. */
  readonly pullRef: string;
  /** Address of its manifest, in the order in which schemes are tried. */
  readonly manifestUrls: readonly string[];
  readonly insecure: boolean;
  readonly mirrored: boolean;
  readonly auth: RegistryAuthSettings | undefined;
  readonly waitSeconds: number;
}

/** Path and version of a reference without its registry: "golang:1.24" is "library/golang" at "1.24". */
function partsOf(ref: string, registry: string): { path: string; version: string; separator: ':' | '@' } {
  const bare = ref.startsWith(`${registry}/`) ? ref.slice(registry.length + 1) : ref;
  const at = bare.indexOf('@');
  const colon = at === -1 ? bare.lastIndexOf(':') : at;
  const path = bare.slice(0, colon);
  return {
    path: registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path,
    version: bare.slice(colon + 1),
    separator: at === -1 ? ':' : '@',
  };
}

/**
 * Where to pull a reference from, by configuration.
 * @param ref with its tag or digest. A digest cannot be given to an image as its name, so it is never mirrored.
 */
export function pullSource(ref: string, registries: Registries): PullSource {
  const registry = registryOf(ref);
  const settings = registries[registry];
  const { path, version, separator } = partsOf(ref, registry);
  const mirror = separator === ':' ? settings?.mirror : undefined;
  const [, scheme, place = registry] = /^(?:(https?):\/\/)?(.*?)\/*$/.exec(mirror ?? registry) ?? [];
  const [host = place, ...prefix] = place.split('/');
  const insecure = settings?.insecure === true || scheme === 'http';
  const schemes = scheme !== undefined ? [scheme] : insecure ? ['https', 'http'] : ['https'];
  const repository = [...prefix.filter((part) => part !== ''), path].join('/');
  const apiHost = host === 'docker.io' ? dockerHubApi : host;
  return {
    ref,
    registry,
    host,
    pullRef: mirror === undefined ? ref : `${host}/${repository}:${version}`,
    manifestUrls: schemes.map((name) => `${name}://${apiHost}/v2/${repository}/manifests/${version}`),
    insecure,
    mirrored: mirror !== undefined,
    auth: settings?.auth,
    waitSeconds: settings?.waitSeconds ?? defaultWaitSeconds,
  };
}
