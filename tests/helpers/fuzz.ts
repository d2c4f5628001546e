/** Random choices that a seed brings back. */
export interface Chance {
  /** A whole number from 0 to below `below`. */
  number(below: number): number;
  pick<Item>(items: readonly Item[]): Item;
}

/** The same choices for the same seed (mulberry32). */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const number = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
  return {
    number,
    pick: (items) => {
      const item = items[number(items.length)];
      if (item === undefined) throw new Error('There is nothing to pick from.');
      return item;
    },
  };
}

/** Numbers at which programs that count go wrong. */
const edges: readonly number[] = [0, 1, 0x7f, 0x80, 0xff];

/** Bytes with a few overwritten, left out, doubled, or cut off. */
export function damage(bytes: Buffer, chance: Chance): Buffer {
  let damaged = Buffer.from(bytes);
  for (let times = 1 + chance.number(8); times > 0 && damaged.byteLength > 0; times -= 1) {
    const at = chance.number(damaged.byteLength);
    const length = 1 + chance.number(chance.pick([1, 8, 64, 600]));
    const [before, piece, after] = [
      damaged.subarray(0, at),
      damaged.subarray(at, at + length),
      damaged.subarray(at + length),
    ];
    const change = chance.number(8);
    if (change < 4) damaged[at] = chance.number(2) === 0 ? chance.pick(edges) : chance.number(256);
    else if (change === 4) damaged = Buffer.concat([before, after]);
    else if (change === 5) damaged = Buffer.concat([before, piece, piece, after]);
    else if (change === 6) piece.fill(chance.pick(edges));
    else if (chance.number(4) === 0) damaged = Buffer.from(before);
  }
  return damaged;
}

const blockBytes = 512;

/** A tar with fields of its headers changed, and checksums that are right all the same. */
export function damageHeaders(tar: Buffer, chance: Chance): Buffer {
  const damaged = Buffer.from(tar);
  const headers: number[] = [];
  for (let at = 0; at + blockBytes <= damaged.byteLength; at += blockBytes) {
    if (damaged.toString('latin1', at + 257, at + 262) === 'ustar') headers.push(at);
  }
  for (let times = 1 + chance.number(4); times > 0 && headers.length > 0; times -= 1) {
    const header = damaged.subarray(chance.pick(headers)).subarray(0, blockBytes);
    // Name, mode, owner, size, type, link, magic, device numbers, prefix.
    const [start, length] = chance.pick([
      [0, 100],
      [100, 8],
      [108, 8],
      [124, 12],
      [156, 1],
      [157, 100],
      [257, 8],
      [329, 16],
      [345, 155],
    ] as const);
    const field = header.subarray(start, start + length);
    const change = chance.number(5);
    if (change === 0) field.fill(chance.pick(edges));
    else if (change === 1)
      field.write(chance.pick(['../../', '/', './.', 'a/'.repeat(40), '\u00ff\u00fe', '7'.repeat(12), '-1']), 'latin1');
    else if (change === 2)
      field.write(chance.pick(['0', '1', '2', '3', '5', 'x', 'g', 'L', 'K', 'S', 'V', '\u007f']), 'latin1');
    else field[chance.number(length)] = chance.number(256);
    sign(header);
  }
  return damaged;
}

/** Put the right checksum into a header of a tar. */
export function sign(header: Buffer): void {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

/** A JSON document with one value, somewhere in it, replaced, doubled or left out. */
export function damageJson(text: string, chance: Chance): string {
  const root = { value: JSON.parse(text) as unknown };
  const places: (readonly [object, string])[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const key of Object.keys(value)) {
      places.push([value, key]);
      visit((value as Record<string, unknown>)[key]);
    }
  };
  visit(root);
  for (let times = 1 + chance.number(3); times > 0; times -= 1) {
    const [holder, key] = chance.pick(places);
    const held = holder as Record<string, unknown>;
    const change = chance.number(4);
    if (change === 0) Reflect.deleteProperty(held, key);
    else if (change === 1) held[key] = [held[key], held[key]];
    else
      held[key] = chance.pick<unknown>([
        null,
        true,
        -1,
        1e308,
        '',
        '__proto__',
        '\u0000',
        [],
        {},
        { a: [{}] },
        'x'.repeat(5000),
      ]);
  }
  return root.value === undefined ? '' : JSON.stringify(root.value);
}
