import type { z } from 'zod';
import {
  BallastError,
  errorResponse,
  fileList,
  fileVersionHeader,
  imageList,
  labResult,
  sessionView,
  type FileEntry,
  type ImageView,
  type LabResult,
  type ResetSession,
  type SessionView,
} from '../../sandbox-server/protocol/index.ts';

/** The server could not be reached, or answered something that is not ours. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly hint = 'Check that Ballast is running and that you are connected, then try again.';

  constructor(cause?: unknown) {
    super('Ballast cannot be reached.', { cause });
  }
}

/** A file's text with the version to save it against. */
export interface FileContent {
  /** Undefined when the file is not UTF-8 text. */
  readonly text: string | undefined;
  readonly version: string;
}

/** What a save insists on: that the file is still `version`, that it is `new`, or nothing (`any`). */
export type SaveCondition = { readonly version: string } | 'new' | 'any';

/**
 * Every call rejects with a BallastError (the server's own words) or an UnreachableError.
 * The session's token is in a cookie that scripts cannot read: no call takes or gives it.
 */
export interface Api {
  createSession(lab: string): Promise<SessionView>;
  getSession(id: string): Promise<SessionView>;
  endSession(id: string): Promise<void>;
  extendSession(id: string): Promise<SessionView>;
  resetSession(id: string, files: ResetSession['files']): Promise<SessionView>;
  listFiles(id: string): Promise<readonly FileEntry[]>;
  readFile(id: string, path: string): Promise<FileContent>;
  /** Gives the new version. */
  writeFile(id: string, path: string, text: string, condition: SaveCondition): Promise<string>;
  deleteFile(id: string, path: string): Promise<void>;
  /** Runs all checks, or those named, to the end. */
  runChecks(id: string, ids?: readonly string[]): Promise<LabResult>;
  listImages(id: string): Promise<readonly ImageView[]>;
  /** Milliseconds that the server's clock is ahead of ours, as of its last answer. */
  readonly clockSkewMs: number;
}

/** Makes the REST client. `base` is the server's origin, "" for the page's own; `send` is fetch. */
export function createApi(base: string, send: typeof fetch = (...args) => fetch(...args)): Api {
  let clockSkewMs = 0;

  const request = async (method: string, path: string, init: RequestInit = {}): Promise<Response> => {
    let response: Response;
    try {
      response = await send(base + path, { credentials: 'same-origin', cache: 'no-store', ...init, method });
    } catch (cause) {
      throw new UnreachableError(cause);
    }
    const date = Date.parse(response.headers.get('date') ?? '');
    if (!Number.isNaN(date)) clockSkewMs = date - Date.now();
    if (response.ok) return response;
    const body = errorResponse.safeParse(await response.json().catch(() => undefined));
    if (!body.success) throw new UnreachableError(`HTTP ${String(response.status)}`);
    const { code, message, hint } = body.data.error;
    throw new BallastError(code, { message, hint });
  };

  const json = async <T>(schema: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T> => {
    const init =
      body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await request(method, path, init);
    const parsed = schema.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success) throw new UnreachableError(parsed.error);
    return parsed.data;
  };

  const session = (id: string): string => `/api/sessions/${encodeURIComponent(id)}`;
  const file = (id: string, path: string): string =>
    `${session(id)}/files/${path.split('/').map(encodeURIComponent).join('/')}`;

  return {
    createSession: (lab) => json(sessionView, 'POST', '/api/sessions', { lab }),
    getSession: (id) => json(sessionView, 'GET', session(id)),
    endSession: async (id) => {
      await request('DELETE', session(id));
    },
    extendSession: (id) => json(sessionView, 'POST', `${session(id)}/extend`, {}),
    resetSession: (id, files) => json(sessionView, 'POST', `${session(id)}/reset`, { files }),
    listFiles: async (id) => (await json(fileList, 'GET', `${session(id)}/files`)).files,
    readFile: async (id, path) => {
      const response = await request('GET', file(id, path));
      const bytes = await response.arrayBuffer();
      return { text: decodeText(bytes), version: response.headers.get(fileVersionHeader) ?? '' };
    },
    writeFile: async (id, path, text, condition) => {
      const headers = new Headers({ 'content-type': 'application/octet-stream' });
      if (condition === 'new') headers.set('if-none-match', '*');
      else if (condition !== 'any') headers.set('if-match', condition.version);
      const response = await request('PUT', file(id, path), { headers, body: new TextEncoder().encode(text) });
      return response.headers.get(fileVersionHeader) ?? '';
    },
    deleteFile: async (id, path) => {
      await request('DELETE', file(id, path));
    },
    runChecks: (id, ids) => json(labResult, 'POST', `${session(id)}/checks`, ids === undefined ? {} : { ids }),
    listImages: async (id) => (await json(imageList, 'GET', `${session(id)}/images`)).images,
    get clockSkewMs() {
      return clockSkewMs;
    },
  };
}

function decodeText(bytes: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}

/** What to tell a person of any error: its own words when it has some, never a stack. */
export function explain(error: unknown): { readonly message: string; readonly hint: string } {
  if (error instanceof BallastError || error instanceof UnreachableError) {
    return { message: error.message, hint: error.hint };
  }
  return { message: 'Something went wrong in this page.', hint: 'Reload the page; your sandbox is kept.' };
}
