/** What the workspace tells the lesson of its checks, and what the lesson asks of it. */
export interface ChecksState {
  /** Whether there is a sandbox that can be checked. */
  readonly ready: boolean;
  readonly running: boolean;
  /** Checks that have a verdict. */
  readonly verdicts: ReadonlyMap<string, 'pass' | 'fail'>;
}

const stateEvent = 'ballast:checks';
const requestEvent = 'ballast:check';

/** Only this module makes events of these types, so their details are what it put in. */
function listen(type: string, handler: (detail: unknown) => void, signal: AbortSignal): void {
  document.addEventListener(
    type,
    (event) => {
      if (event instanceof CustomEvent) handler(event.detail);
    },
    { signal },
  );
}

/** Tells the page how the checks stand. */
export function announceChecks(state: ChecksState): void {
  document.dispatchEvent(new CustomEvent(stateEvent, { detail: state }));
}

/** Hears `announceChecks`. */
export function onChecks(handler: (state: ChecksState) => void, signal: AbortSignal): void {
  listen(
    stateEvent,
    (detail) => {
      handler(detail as ChecksState);
    },
    signal,
  );
}

/** Asks the workspace to run certain checks. */
export function requestChecks(ids: readonly string[]): void {
  document.dispatchEvent(new CustomEvent(requestEvent, { detail: ids }));
}

/** Hears `requestChecks`. */
export function onRequestChecks(handler: (ids: readonly string[]) => void, signal: AbortSignal): void {
  listen(
    requestEvent,
    (detail) => {
      handler(detail as readonly string[]);
    },
    signal,
  );
}
