import type { CheckContext } from '../../sandbox-server/checks/check-kind.ts';
import type { Finding, ImageConfig, ImageContents, LayerEntry } from '../../sandbox-server/images/image-reader.ts';
import { mergeLayers } from '../../sandbox-server/images/merged-view.ts';
import type { ImagePackage } from '../../sandbox-server/images/packages.ts';
import { wastedBytes } from '../../sandbox-server/images/wasted-bytes.ts';

/** A program of the given size, in bytes. */
export const file = (path: string, sizeBytes = 10, more: Partial<LayerEntry> = {}): LayerEntry => ({
  path,
  type: 'file',
  sizeBytes,
  mode: 0o755,
  uid: 0,
  gid: 0,
  ...more,
});

export interface MadeLayer {
  readonly entries: readonly LayerEntry[];
  readonly whiteouts?: readonly string[];
  readonly createdBy?: string;
  readonly packages?: readonly ImagePackage[];
}

/** What a reader would say of an image with these layers. */
export function makeContents(made: readonly MadeLayer[], config: Partial<ImageConfig> = {}): ImageContents {
  const layers = made.map(({ entries, whiteouts = [], createdBy = '', packages = [] }, index) => ({
    digest: `sha256:${String(index)}`,
    sizeBytes: entries.reduce((sum, entry) => sum + entry.sizeBytes, 0),
    createdBy,
    entries,
    whiteouts,
    opaque: [],
    packages,
  }));
  const merged = mergeLayers(layers);
  return {
    id: 'sha256:1',
    ref: 'greeter',
    sizeBytes: layers.reduce((sum, layer) => sum + layer.sizeBytes, 0),
    layers,
    config: {
      user: '',
      entrypoint: [],
      cmd: [],
      env: [],
      workingDir: '',
      exposedPorts: [],
      labels: {},
      volumes: [],
      healthcheck: null,
      stopSignal: '',
      architecture: 'amd64',
      os: 'linux',
      ...config,
    },
    history: layers.map(({ createdBy }) => ({ createdBy, layer: true })),
    merged,
    text: new Map(),
    packages: layers.flatMap(({ packages }, index) => packages.filter(({ path }) => merged.get(path)?.layer === index)),
    wastedBytes: wastedBytes(layers, merged),
  };
}

const nothingSaid = { stderr: '', timedOut: false, truncated: false };

/**
 * For kinds that look at images alone. `others` are further images, by name; `dockerfile` is all that can be read of the
 * lab folder.
 */
export function contextOf(
  contents: ImageContents,
  {
    others = {},
    findings = [],
    dockerfile,
  }: {
    others?: Readonly<Record<string, ImageContents>>;
    findings?: readonly Finding[];
    dockerfile?: string;
  } = {},
): CheckContext {
  return {
    shell: {
      run: ([program = '']) =>
        program === '/usr/bin/cat'
          ? Promise.resolve({ ...nothingSaid, exitCode: dockerfile === undefined ? 1 : 0, stdout: dockerfile ?? '' })
          : Promise.reject(new Error('unused')),
      stream: () => Promise.reject(new Error('unused')),
    },
    images: {
      read: (ref) => Promise.resolve(others[ref] ?? contents),
      search: () => Promise.resolve(findings),
    },
    labDir: '/home/learner/lab',
    mode: 'live',
    signal: new AbortController().signal,
  };
}
