import type { z } from 'zod';
import type { CheckContext, CheckKind, Verdict } from '../check-kind.ts';
import { imageBuilt } from './image-built.ts';
import { imageLacks } from './image-lacks.ts';
import { imageSize } from './image-size.ts';
import { nonRoot } from './non-root.ts';
import { servesHttp } from './serves-http.ts';
import { testStage } from './test-stage.ts';

/** A kind of check whose parameters are validated on the way in, so that kinds of any parameters fit one table. */
export interface RegisteredKind {
  readonly name: string;
  readonly summary: string;
  readonly schema: z.ZodType;
  readonly timeoutMs: number;
  /** `parameters` are those of lab.yaml, as written. */
  run(parameters: unknown, context: CheckContext): Promise<Verdict>;
}

export type CheckKinds = ReadonlyMap<string, RegisteredKind>;

/** Make a kind fit the table. */
export function register<Parameters>(kind: CheckKind<Parameters>): RegisteredKind {
  const { name, summary, schema, timeoutMs } = kind;
  return {
    name,
    summary,
    schema,
    timeoutMs,
    run: (parameters, context) => kind.run(schema.parse(parameters), context),
  };
}

/** All kinds of checks, by name. A new kind is one file here and one line below. */
export function checkKinds(): CheckKinds {
  const kinds = [
    register(imageBuilt),
    register(imageSize),
    register(nonRoot),
    register(imageLacks),
    register(servesHttp),
    register(testStage),
  ];
  return new Map(kinds.map((kind) => [kind.name, kind]));
}
