import type { z } from 'zod';
import type { CheckContext, CheckKind, KindDocs, Verdict } from '../check-kind.ts';
import { noCveData } from '../cve-counter.ts';
import type { CountCves } from '../cve-counter.ts';
import { caCertificates } from './ca-certificates.ts';
import { cache } from './cache.ts';
import { commandOutput } from './command-output.ts';
import { cveCount } from './cve-count.ts';
import { exposedPorts } from './exposed-ports.ts';
import { fileContent } from './file-content.ts';
import { healthcheck } from './healthcheck.ts';
import { imageBuilt } from './image-built.ts';
import { imageHas } from './image-has.ts';
import { imageLacks } from './image-lacks.ts';
import { imageSize } from './image-size.ts';
import { labFile } from './lab-file.ts';
import { labTable } from './lab-table.ts';
import { labels } from './labels.ts';
import { noSecret } from './no-secret.ts';
import { noZombies } from './no-zombies.ts';
import { nonRoot } from './non-root.ts';
import { packageCount } from './package-count.ts';
import { quizAnswer } from './quiz-answer.ts';
import { runsHardened } from './runs-hardened.ts';
import { servesHttp } from './serves-http.ts';
import { stageFails } from './stage-fails.ts';
import { stages } from './stages.ts';
import { staticBinary } from './static-binary.ts';
import { stopsInTime } from './stops-in-time.ts';
import { testStage } from './test-stage.ts';
import { timeZoneData } from './time-zone-data.ts';
import { tlsCall } from './tls-call.ts';

/** A kind of check whose parameters are validated on the way in, so that kinds of any parameters fit one table. */
export interface RegisteredKind {
  readonly name: string;
  readonly summary: string;
  readonly docs: KindDocs;
  readonly schema: z.ZodType;
  readonly timeoutMs: number;
  readonly alone: boolean;
  /** `parameters` are those of lab.yaml, as written. */
  run(parameters: unknown, context: CheckContext): Promise<Verdict>;
}

export type CheckKinds = ReadonlyMap<string, RegisteredKind>;

/** Make a kind fit the table. */
export function register<Parameters>(kind: CheckKind<Parameters>): RegisteredKind {
  const { name, summary, docs, schema, timeoutMs, alone = false } = kind;
  return {
    name,
    summary,
    docs,
    schema,
    timeoutMs,
    alone,
    run: (parameters, context) => kind.run(schema.parse(parameters), context),
  };
}

/**
 * All kinds of checks, by name. A new kind is one file here and one line below.
 * @param countCves looks CVEs up; where nothing judges, as where labs are only read, it is left out
 */
export function checkKinds(countCves: CountCves = noCveData): CheckKinds {
  const kinds = [
    register(imageBuilt),
    register(imageSize),
    register(imageHas),
    register(imageLacks),
    register(noSecret),
    register(packageCount),
    register(cveCount(countCves)),
    register(staticBinary),
    register(caCertificates),
    register(tlsCall),
    register(timeZoneData),
    register(fileContent),
    register(labFile),
    register(labTable),
    register(labels),
    register(exposedPorts),
    register(nonRoot),
    register(servesHttp),
    register(healthcheck),
    register(runsHardened),
    register(stopsInTime),
    register(noZombies),
    register(commandOutput),
    register(stages),
    register(testStage),
    register(stageFails),
    register(cache),
    register(quizAnswer),
  ];
  return new Map(kinds.map((kind) => [kind.name, kind]));
}
