import { z } from 'zod';
import type { CheckSchemas } from './lab-schema.ts';
import { labSchema } from './lab-schema.ts';

type JsonObject = Record<string, unknown>;

/**
 * The JSON Schema of lab.yaml, for editors: completion and mistakes underlined as one types, `with` by its kind.
 * @param kinds every kind of check with the shape of its `with`
 * @returns the text of labs/lab.schema.json
 */
export function editorSchema(kinds: CheckSchemas): string {
  const schema = toJsonSchema(labSchema);
  const check = child(child(child(schema, 'properties'), 'checks'), 'items');
  child(check, 'properties')['kind'] = { ...child(child(check, 'properties'), 'kind'), enum: [...kinds.keys()] };
  check['allOf'] = [...kinds].map(([name, { schema: parameters }]) => ({
    if: { properties: { kind: { const: name } } },
    then: { properties: { with: withoutDialect(toJsonSchema(parameters)) } },
  }));
  return `${JSON.stringify({ title: 'A lab of Ballast', ...schema }, null, 2)}\n`;
}

const toJsonSchema = (schema: z.ZodType): JsonObject => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

function withoutDialect(schema: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$schema'));
}

function child(parent: JsonObject, key: string): JsonObject {
  return parent[key] as JsonObject;
}
