/** Counts of one terminal's output: what was sent and what the client says it has rendered. */
export interface FlowControl {
  /** Note that `bytes` go out now. */
  sent(bytes: number): void;
  /** Note that the client has rendered `bytes` more. False when that is more than was sent. */
  acknowledged(bytes: number): boolean;
  /** Whether the sandbox must wait; changes only at the two marks, not between them. */
  readonly paused: boolean;
  readonly outstanding: number;
}

/**
 * Flow control with two marks: above `high` outstanding bytes it pauses, and goes on at `low` or below. The gap keeps
 * it from flickering at one mark.
 */
export function createFlowControl(high: number, low: number): FlowControl {
  let outstanding = 0;
  let paused = false;
  return {
    sent(bytes) {
      outstanding += bytes;
      if (outstanding > high) paused = true;
    },
    acknowledged(bytes) {
      if (bytes > outstanding) return false;
      outstanding -= bytes;
      if (outstanding <= low) paused = false;
      return true;
    },
    get paused() {
      return paused;
    },
    get outstanding() {
      return outstanding;
    },
  };
}
