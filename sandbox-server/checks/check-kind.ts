import type { z } from 'zod';
import type { SandboxShell } from './sandbox-shell.ts';
import type { ImageReader } from '../images/image-reader.ts';
import type { OwedProof } from './source-proof-schema.ts';

/** What a check has to work with; it never sees the engine driver or the session. */
export interface CheckContext {
  /** Runs programs in the sandbox as the learner. */
  readonly shell: SandboxShell;
  /** Reads images out of the sandbox's engine; remembers what it has read. */
  readonly images: ImageReader;
  /** Absolute path of the lab folder inside the sandbox. */
  readonly labDir: string;
  /** `clean-room` builds images itself, `live` judges what the learner has built. */
  readonly mode: 'live' | 'clean-room';
  /**
   * Verdicts of this sandbox that hold as long as what they were judged by has not changed; a kind that keeps one here
   * names all of that in its key. Only live sessions have it.
   */
  readonly remembered?: Map<string, Verdict>;
  /**
   * Images that gave no answer when they were to prove that they were compiled, by name: the first check that they do
   * answer asks for the proof. Of one run.
   */
  readonly owedProofs?: Map<string, OwedProof>;
  /** The Dockerfile of each image that the lab has built, relative to `labDir`. */
  readonly dockerfiles?: ReadonlyMap<string, string>;
  /** Aborts when the check's time is up or the caller has gone. */
  readonly signal: AbortSignal;
}

/** What a check kind says; the runner adds id, title, points and time. Plain text, any length: the runner trims. */
export type Verdict =
  | { readonly status: 'pass'; readonly expected: string; readonly actual: string }
  | { readonly status: 'fail'; readonly expected: string; readonly actual: string; readonly hint?: string };

/** What the page of a kind says to lab authors, in Markdown, beside what its schema says. */
export interface KindDocs {
  /** What it looks at and how it judges. */
  readonly looksAt: string;
  /** Parameters as they stand under `with` in a lab.yaml. */
  readonly example: string;
  /** What a learner who fails is told, and what the hints are made from. */
  readonly fails: string;
  /** What it does not see. */
  readonly limits?: string;
}

/**
 * One kind of check. A kind throws for whatever is not the learner's fault: the runner turns that into `error`.
 * `with` is validated by `schema` when the lab is loaded, so a typo never reaches a learner.
 */
export interface CheckKind<Parameters> {
  readonly name: string;
  /** One sentence for lab authors. */
  readonly summary: string;
  readonly docs: KindDocs;
  readonly schema: z.ZodType<Parameters>;
  /** Whether it measures time or the cache, so that nothing else of ours may go on in the sandbox meanwhile. */
  readonly alone?: boolean;
  /** Longest time one run may take, in ms. */
  readonly timeoutMs: number;
  run(parameters: Parameters, context: CheckContext): Promise<Verdict>;
}
