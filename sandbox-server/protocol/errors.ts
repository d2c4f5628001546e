import { z } from 'zod';

/**
 * Every error that leaves the server: its HTTP status, what it means and what to do about it.
 * Server, client and docs share this one table; a code without an entry does not compile.
 */
export const errorTable = {
  bad_request: { status: 400, message: 'The request is not valid.', hint: 'Compare it with /api/openapi.json.' },
  bad_path: {
    status: 400,
    message: 'That file path is not allowed.',
    hint: 'Use a relative path inside the lab folder, without "..".',
  },
  unauthorized: {
    status: 401,
    message: 'This needs a session token.',
    hint: 'Send "Authorization: Bearer <token>", or open the lesson again to get a new session.',
  },
  forbidden_origin: {
    status: 403,
    message: 'This request comes from another web site.',
    hint: 'Open Ballast at its own address, or add the origin to "origins" in the configuration.',
  },
  not_found: { status: 404, message: 'There is nothing at this address.', hint: 'Check the address.' },
  lab_not_found: { status: 404, message: 'There is no such lab.', hint: 'GET /api/labs lists them.' },
  session_not_found: { status: 404, message: 'This session does not exist or has ended.', hint: 'Start a new one.' },
  file_not_found: { status: 404, message: 'There is no such file in the sandbox.', hint: 'List the files again.' },
  image_not_found: { status: 404, message: 'There is no such image in the sandbox.', hint: 'Build it first.' },
  image_unreadable: {
    status: 422,
    message: 'The image could not be read.',
    hint: 'Build it again; if it stays, report it with the error id.',
  },
  terminal_not_found: { status: 404, message: 'There is no such terminal.', hint: 'Open a new one.' },
  session_not_ready: {
    status: 409,
    message: 'The sandbox is not ready yet.',
    hint: 'Wait for its state to become "ready".',
  },
  file_changed: {
    status: 409,
    message: 'The file has changed in the sandbox since you opened it.',
    hint: 'Look at the new version, then save again.',
  },
  checks_running: {
    status: 409,
    message: 'Checks are already running in this session.',
    hint: 'Wait for them to end.',
  },
  too_large: { status: 413, message: 'That is too large.', hint: 'Send less at once.' },
  rate_limited: { status: 429, message: 'Too many requests.', hint: 'Wait a moment and try again.' },
  too_many_terminals: { status: 429, message: 'This lab allows no more terminals.', hint: 'Close one first.' },
  capacity: { status: 503, message: 'No sandbox is free.', hint: 'Try again in a few minutes.' },
  shutting_down: { status: 503, message: 'The server is stopping.', hint: 'Try again in a moment.' },
  engine_missing: {
    status: 503,
    message: 'No Docker Engine was found.',
    hint: 'Start Docker, or run "npx ballast doctor".',
  },
  engine_denied: {
    status: 503,
    message: 'No permission to use the Docker Engine.',
    hint: 'Add yourself to the group "docker" and log in again, or run as root.',
  },
  engine_too_old: { status: 503, message: 'The Docker Engine is too old.', hint: 'Install version 20.10 or newer.' },
  engine_failed: { status: 503, message: 'The Docker Engine refused or failed.', hint: 'Run "npx ballast doctor".' },
  disk_full: {
    status: 507,
    message: 'The disk is full.',
    hint: 'Free some space: "docker system df" shows what is used.',
  },
  port_in_use: { status: 500, message: 'The port is already in use.', hint: 'Choose another with --port.' },
  images_missing: {
    status: 503,
    message: 'The base images of this lab are not here yet.',
    hint: 'Run "npx ballast setup".',
  },
  registry_unreachable: {
    status: 503,
    message: 'The image registry does not answer.',
    hint: 'Connect to the network, or name a mirror: "registries" in ballast.yaml.',
  },
  registry_untrusted: {
    status: 503,
    message: 'The certificate of the image registry is not trusted.',
    hint: 'Set BALLAST_EXTRA_CA to a PEM file with the authority that issued it.',
  },
  registry_denied: {
    status: 503,
    message: 'The image registry refuses the credentials.',
    hint: 'Correct "registries" in ballast.yaml.',
  },
  registry_rate_limited: {
    status: 503,
    message: 'The image registry limits the rate.',
    hint: 'Try again later, or name credentials or a mirror: "registries" in ballast.yaml.',
  },
  registry_failed: { status: 503, message: 'The image registry failed.', hint: 'Try again later.' },
  kit_invalid: {
    status: 400,
    message: 'That file is not a kit.',
    hint: 'Name a file that "ballast kit export" wrote.',
  },
  kit_damaged: {
    status: 422,
    message: 'The kit is damaged.',
    hint: 'Copy the kit again, or export it again.',
  },
  kit_mismatch: {
    status: 409,
    message: 'The kit is for another version of Ballast or another machine.',
    hint: 'Export it again, with the same version on a machine of the same kind.',
  },
  cve_data_missing: {
    status: 503,
    message: 'There is nothing at hand to look CVEs up in.',
    hint: 'With a network, run "npx ballast cves --fetch trixie".',
  },
  setup_failed: { status: 500, message: 'Set-up failed.', hint: 'Run "npx ballast doctor".' },
  sandbox_failed: {
    status: 503,
    message: 'The sandbox did not start.',
    hint: 'Try again; "npx ballast doctor" says what is wrong with the machine.',
  },
  sandbox_exists: { status: 409, message: 'There is such a sandbox already.', hint: 'Try again in a moment.' },
  lab_invalid: { status: 500, message: 'The lab has a mistake.', hint: 'See the file and line.' },
  check_timeout: {
    status: 504,
    message: 'The check took too long.',
    hint: 'This is not your fault and costs you nothing. Run the checks again.',
  },
  host_busy: {
    status: 503,
    message: 'The machine was too busy to judge this: others used its processors.',
    hint: 'This is not your fault and costs you nothing. Try again when there is less going on, or with fewer jobs at a time.',
  },
  grade_failed: {
    status: 500,
    message: 'The submission could not be graded.',
    hint: 'Nothing counts against it. Try again; "npx ballast doctor" says what is wrong with the machine.',
  },
  config_invalid: { status: 500, message: 'The configuration has a mistake.', hint: 'See the key named.' },
  store_corrupt: {
    status: 500,
    message: 'The database could not be read.',
    hint: 'It was kept aside and a new one begun.',
  },
  internal: {
    status: 500,
    message: 'Something went wrong on our side.',
    hint: 'Try again. If it stays, report it with the error id.',
  },
} as const satisfies Record<string, { status: number; message: string; hint: string }>;

export type ErrorCode = keyof typeof errorTable;

export const errorCodes = Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]];

/** The one shape of an error on the wire, over HTTP and WebSocket alike. */
export const errorBody = z.object({
  code: z.enum(errorCodes),
  message: z.string(),
  hint: z.string(),
});
export type ErrorBody = z.infer<typeof errorBody>;

export const errorResponse = z.object({ error: errorBody });

/** An error with a code of the shared table. `message` and `hint` fall back to the table's. */
export class BallastError extends Error {
  override readonly name = 'BallastError';
  readonly code: ErrorCode;
  readonly hint: string;

  constructor(code: ErrorCode, detail: { message?: string; hint?: string; cause?: unknown } = {}) {
    super(detail.message ?? errorTable[code].message, { cause: detail.cause });
    this.code = code;
    this.hint = detail.hint ?? errorTable[code].hint;
  }

  /** HTTP status that goes with the code. */
  get status(): number {
    return errorTable[this.code].status;
  }

  /** What goes over the wire: never a stack, never the cause. */
  toBody(): ErrorBody {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}
