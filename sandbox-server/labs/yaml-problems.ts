import { LineCounter, isMap, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { z } from 'zod';
import { nearest } from './nearest.ts';

type Path = readonly PropertyKey[];

/** A YAML file that knows where each of its values stands, so that mistakes can be pointed at. */
export class YamlFile {
  readonly file: string;
  readonly problems: string[] = [];
  readonly #document: Document.Parsed;
  readonly #lines = new LineCounter();

  /** `file` is how the file is called in messages. Syntax errors are in `problems` at once. */
  constructor(file: string, text: string) {
    this.file = file;
    this.#document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
    for (const error of this.#document.errors) {
      const { line, col } = this.#lines.linePos(error.pos[0]);
      this.problems.push(`${file}:${line}:${col}: ${error.message}`);
    }
  }

  /** The value as plain data; undefined after a syntax error. */
  value(): unknown {
    return this.#document.errors.length > 0 ? undefined : this.#document.toJS({ maxAliasCount: 100 });
  }

  /** Note a mistake at `path`; `key` points at that key of the map there instead of at its value. */
  report(path: Path, message: string, key?: string): void {
    const { line, col } = this.#lines.linePos(this.#offset(path, key));
    const where = path.length > 0 ? `${formatPath(path)}: ` : '';
    this.problems.push(`${this.file}:${line}:${col}: ${where}${message}`);
  }

  /** Validate with a schema, reporting each issue where it stands. `base` is the path of `value` in the file. */
  validate<Schema extends z.ZodType>(schema: Schema, value: unknown, base: Path = []): z.output<Schema> | undefined {
    const parsed = schema.safeParse(value, { reportInput: true });
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) {
      const path = [...base, ...issue.path];
      if (issue.code === 'unrecognized_keys') {
        const known = keysAt(schema, issue.path);
        for (const key of issue.keys) this.report(path, unknownKey(key, known), key);
      } else if (issue.input === undefined && issue.path.length > 0) {
        this.report(path.slice(0, -1), `"${String(path.at(-1))}" is missing`);
      } else {
        this.report(path, issue.message);
      }
    }
    return undefined;
  }

  #offset(path: Path, key?: string): number {
    // A missing value has no place of its own: point at the nearest thing that has one.
    for (let length = path.length; length >= 0; length -= 1) {
      const node: unknown = length === 0 ? this.#document.contents : this.#document.getIn(path.slice(0, length), true);
      if (key !== undefined && length === path.length && isMap(node)) {
        const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
        if (pair !== undefined && isScalar(pair.key) && pair.key.range) return pair.key.range[0];
      }
      const range = (node as { range?: [number, number, number] | null } | null | undefined)?.range;
      if (range) return range[0];
    }
    return 0;
  }
}

const formatPath = (path: Path): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );

function unknownKey(key: string, known: readonly string[]): string {
  const guess = nearest(key, known);
  const list = known.length > 0 ? `; known are ${known.join(', ')}` : '';
  return `unknown key "${key}"${guess === undefined ? list : `: did you mean "${guess}"?`}`;
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** The keys that a schema allows at `path`. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  let nodes: JsonSchema[] = [z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema];
  const widen = (node: JsonSchema): JsonSchema[] => [
    node,
    ...[...(node.anyOf ?? []), ...(node.oneOf ?? [])].flatMap(widen),
  ];
  for (const part of path) {
    nodes = nodes.flatMap(widen).flatMap((node) => {
      const next = typeof part === 'number' ? node.items : node.properties?.[String(part)];
      return next === undefined ? [] : [next];
    });
  }
  return [...new Set(nodes.flatMap(widen).flatMap((node) => Object.keys(node.properties ?? {})))];
}
