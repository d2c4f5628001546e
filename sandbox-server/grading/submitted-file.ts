/** One file of a submission; folders come with their files. Paths are relative, "/" between parts. */
export type SubmittedFile =
  | { readonly path: string; readonly type: 'file'; readonly executable: boolean; readonly content: Uint8Array }
  | { readonly path: string; readonly type: 'directory' }
  | { readonly path: string; readonly type: 'symlink'; readonly target: string };

/** A lab folder as a learner left it, in memory. */
export type Submission = ReadonlyMap<string, SubmittedFile>;
