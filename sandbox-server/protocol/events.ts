import { z } from 'zod';
import { errorBody } from './errors.ts';
import { checkResult, labResult } from './results.ts';
import { imageView, sessionView } from './rest.ts';

/** Messages of a session's event socket, server to client. The client sends nothing there. */
export const eventMessage = z.discriminatedUnion('type', [
  /** Sent first on connecting, and at each change. */
  z.strictObject({ type: z.literal('session'), session: sessionView }),
  /** Files were changed from the terminal; `paths` relative to the lab folder, empty means "list again". */
  z.strictObject({ type: z.literal('files'), paths: z.array(z.string()) }),
  z.strictObject({ type: z.literal('images'), images: z.array(imageView) }),
  /** Checks have begun: the ids that will be judged, in order. */
  z.strictObject({ type: z.literal('checks-started'), ids: z.array(z.string()) }),
  z.strictObject({ type: z.literal('check'), result: checkResult }),
  z.strictObject({ type: z.literal('checks-done'), result: labResult }),
  z.strictObject({ type: z.literal('notice'), level: z.enum(['info', 'warning']), text: z.string() }),
  z.strictObject({ type: z.literal('error'), error: errorBody }),
]);
export type EventMessage = z.infer<typeof eventMessage>;
