import type { z } from 'zod';

/** A message of a socket as its schema reads it; undefined when it is not JSON or not of that shape. */
export function parseMessage<T>(schema: z.ZodType<T>, text: string): T | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}
