import { z } from 'zod';
import type { Archive } from './archive.ts';
import { malformed } from './archive-error.ts';
import { stringsIn } from './needles.ts';
import type { Healthcheck, HistoryStep, ImageConfig } from './image-reader.ts';

/** The image that an archive holds: its configuration and its layers from the bottom up. */
export interface Layout {
  readonly config: ImageConfig;
  readonly layers: readonly LayoutLayer[];
  readonly history: readonly HistoryStep[];
  /** Every string of each step of the history: comments and authors as well. */
  readonly historyStrings: readonly (readonly string[])[];
  /** Every string of the configuration but those of the history. */
  readonly strings: readonly string[];
}

export interface LayoutLayer {
  /** Name of the layer in the archive. */
  readonly name: string;
  readonly digest: string;
  readonly createdBy: string;
}

const manifestSchema = z.tuple([z.object({ Config: z.string(), Layers: z.array(z.string()).nullable() })], z.unknown());

const list = z.array(z.string()).nullish();
const configSchema = z.object({
  architecture: z.string().default(''),
  os: z.string().default(''),
  config: z
    .object({
      User: z.string().nullish(),
      Entrypoint: list,
      Cmd: list,
      Env: list,
      WorkingDir: z.string().nullish(),
      ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
      Volumes: z.record(z.string(), z.unknown()).nullish(),
      StopSignal: z.string().nullish(),
      Healthcheck: z
        .object({
          Test: list,
          Interval: z.number().nullish(),
          Timeout: z.number().nullish(),
          Retries: z.number().nullish(),
        })
        .nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string()).nullish() }),
  history: z.array(z.looseObject({ created_by: z.string().optional(), empty_layer: z.boolean().optional() })).nullish(),
});

/**
 * Find the image in an archive, be it of the classic layout or of the OCI one: engines write manifest.json in both.
 * @throws BallastError image_unreadable when a document is missing or not as it should be.
 */
export function readLayout(documents: Archive['documents']): Layout {
  const [image] = parseDocument(documents, 'manifest.json', manifestSchema);
  const config = parseDocument(documents, image.Config, configSchema);
  return toLayout(image.Layers ?? [], config, parseDocument(documents, image.Config, z.looseObject({})));
}

/**
 * The image that a configuration describes, its layers named as archives of the OCI layout name them.
 * @throws BallastError image_unreadable when the configuration is not as it should be.
 */
export function layoutOf(text: string): Layout {
  const documents = new Map([['config', text]]);
  const config = parseDocument(documents, 'config', configSchema);
  const names = (config.rootfs.diff_ids ?? []).map((digest) => `blobs/${digest.replace(':', '/')}`);
  return toLayout(names, config, parseDocument(documents, 'config', z.looseObject({})));
}

function toLayout(names: readonly string[], config: z.output<typeof configSchema>, whole: object): Layout {
  const digests = config.rootfs.diff_ids ?? [];
  if (names.length !== digests.length) throw malformed('its manifest and its configuration name different layers');
  const history = (config.history ?? []).map((step) => ({
    createdBy: step.created_by ?? '',
    layer: step.empty_layer !== true,
  }));
  const steps = history.filter((step) => step.layer);
  // Where the numbers differ, nobody can say which step made which layer.
  const isTold = steps.length === names.length;
  return {
    config: {
      user: config.config?.User ?? '',
      entrypoint: config.config?.Entrypoint ?? [],
      cmd: config.config?.Cmd ?? [],
      env: config.config?.Env ?? [],
      workingDir: config.config?.WorkingDir ?? '',
      exposedPorts: Object.keys(config.config?.ExposedPorts ?? {}),
      labels: config.config?.Labels ?? {},
      volumes: Object.keys(config.config?.Volumes ?? {}),
      healthcheck: healthcheckOf(config.config?.Healthcheck),
      stopSignal: config.config?.StopSignal ?? '',
      architecture: config.architecture,
      os: config.os,
    },
    layers: names.map((name, index) => ({
      name,
      digest: digests[index] ?? '',
      createdBy: isTold ? (steps[index]?.createdBy ?? '') : notTold,
    })),
    history,
    historyStrings: (config.history ?? []).map(stringsIn),
    strings: stringsIn({ ...whole, history: null }),
  };
}

/** What stands for the instruction that made a layer where the history has fewer steps, or more. */
const notTold = '(not told by the history)';

const nanosecondsPerMs = 1e6;

function healthcheckOf(raw: NonNullable<z.output<typeof configSchema>['config']>['Healthcheck']): Healthcheck | null {
  const test = raw?.Test ?? [];
  if (test.length === 0 || test[0] === 'NONE') return null;
  return {
    test,
    intervalMs: (raw?.Interval ?? 0) / nanosecondsPerMs,
    timeoutMs: (raw?.Timeout ?? 0) / nanosecondsPerMs,
    retries: raw?.Retries ?? 0,
  };
}

function parseDocument<Schema extends z.ZodType>(
  documents: Archive['documents'],
  name: string,
  schema: Schema,
): z.output<Schema> {
  const text = documents.get(name);
  if (text === undefined) throw malformed(`it has no ${name}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed(`${name} is not JSON`, cause);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw malformed(`${name} is not as it should be`, parsed.error);
  return parsed.data;
}
