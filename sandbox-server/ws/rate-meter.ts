/** A token bucket: `burst` at once, refilled by `perSecond`. */
export interface RateMeter {
  /** Take `amount`; false when that is more than is left, which means that the peer is flooding us. */
  take(amount: number): boolean;
}

/** @param now clock in ms; monotonic */
export function createRateMeter(
  { burst, perSecond }: { readonly burst: number; readonly perSecond: number },
  now: () => number = () => performance.now(),
): RateMeter {
  let left = burst;
  let last = now();
  return {
    take(amount) {
      const time = now();
      left = Math.min(burst, left + ((time - last) / 1000) * perSecond);
      last = time;
      if (amount > left) return false;
      left -= amount;
      return true;
    },
  };
}
