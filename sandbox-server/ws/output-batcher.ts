/** Joins small chunks that come close together into one frame. */
export interface OutputBatcher {
  push(chunk: Buffer): void;
  /** Send what is held back, now. */
  flush(): void;
  /** Drop what is held back. */
  stop(): void;
}

/**
 * The first chunk after a quiet spell goes out at once, so the echo of a keystroke is never delayed; what follows
 * within `quietMs` waits until then, or until `maxBytes` are together.
 */
export function createOutputBatcher(
  send: (bytes: Buffer) => void,
  { quietMs, maxBytes }: { readonly quietMs: number; readonly maxBytes: number },
): OutputBatcher {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    if (heldBytes === 0) return;
    const bytes = Buffer.concat(held, heldBytes);
    held = [];
    heldBytes = 0;
    for (let from = 0; from < bytes.length; from += maxBytes) send(bytes.subarray(from, from + maxBytes));
  }

  function quiet(): void {
    timer = undefined;
    if (heldBytes === 0) return;
    flush();
    timer = setTimeout(quiet, quietMs);
  }

  return {
    push(chunk) {
      held.push(chunk);
      heldBytes += chunk.length;
      if (timer === undefined) {
        flush();
        timer = setTimeout(quiet, quietMs);
      } else if (heldBytes >= maxBytes) {
        flush();
      }
    },
    flush,
    stop() {
      clearTimeout(timer);
      timer = undefined;
      held = [];
      heldBytes = 0;
    },
  };
}
