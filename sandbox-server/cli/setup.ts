import { prepareFor } from './prepare-for.ts';

/** `ballast setup`: all set-up that `start` would do. */
export async function setup(): Promise<void> {
  await prepareFor({ withSite: true });
}
