/** The one sentence that every refusal says, in status lines, bodies, notices and build logs. */
export const refusalText = 'this sandbox may only reach package registries';

/** Why something was not let through. The words go to the learner; they never hold more of a request than its host. */
export interface Refusal {
  /** What was asked for, as "host" or "host:port"; printable ASCII, shortened. */
  readonly target: string;
  /** Such as "it is no package registry". */
  readonly reason: string;
}

const maxTargetLength = 120;

/** A name that a learner chose, as it may stand in a log, a notice and a build's output. */
export function plainTarget(text: string): string {
  const plain = text.replace(/[^\x21-\x7e]/g, '?');
  return plain.length > maxTargetLength ? `${plain.slice(0, maxTargetLength)}…` : plain;
}

/** Thrown on the way of a request that must not go on. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly refusal: Refusal;
  readonly status: number;

  /** @param status of the HTTP answer */
  constructor(target: string, reason: string, status = 403) {
    super(`${target}: ${reason}`);
    this.refusal = { target: plainTarget(target), reason };
    this.status = status;
  }
}

/** "This sandbox may only reach package registries: example.com was refused (it is not one of them)." */
export function refusalNotice({ target, reason }: Refusal): string {
  return `${refusalText.charAt(0).toUpperCase()}${refusalText.slice(1)}: ${target} was refused (${reason}).`;
}
