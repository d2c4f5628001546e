import type { z } from 'zod';
import type { CheckContext, CheckKind, Verdict } from '../check-kind.ts';

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

function register<Parameters>(kind: CheckKind<Parameters>): RegisteredKind {
  return { ...kind, run: (parameters, context) => kind.run(kind.schema.parse(parameters), context) };
}

/** All kinds of checks, by name. A new kind is one file here and one line below. */
export function checkKinds(): CheckKinds {
  const kinds: RegisteredKind[] = [];
  return new Map(kinds.map((kind) => [kind.name, kind]));
}

export { register };
