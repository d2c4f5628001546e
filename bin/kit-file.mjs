/**
 * A kit: one uncompressed tar, so that any tar lists it. In this order: `ballast-kit` (the version of the format), the
 * parts, `kit.json` (what the parts are, with their SHA-256), `kit.json.sha256`. Each byte is covered: parts and manifest
 * by their sums, headers and padding by being what they must be.
 *
 * Plain JavaScript with nothing but Node's own modules: it must run on Node 20, before anything is installed.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

export const kitFormat = '1\n';
export const firstMember = 'ballast-kit';
export const manifestMember = 'kit.json';
export const sumMember = 'kit.json.sha256';
/** Parts that a kit has, in the order in which they stand in it. */
export const partNames = ['node_modules.tar.gz', 'sandbox-image.tar.zst', 'base-images.tar.zst', 'site.tar.zst'];

const block = 512;
const zeros = Buffer.alloc(2 * block);
const maxManifestBytes = 4 * 1024 * 1024;
const chunkBytes = 1024 * 1024;

/** What is wrong with a kit, under a code of the server's error table. */
export class KitError extends Error {
  constructor(code, message, hint) {
    super(message);
    this.name = 'KitError';
    this.code = code;
    this.hint = hint;
  }
}

const damaged = (file, what) =>
  new KitError(
    'kit_damaged',
    `${file} is damaged: ${what}. Nothing was changed.`,
    'Copy the kit again, or export it again.',
  );

/** Bytes after a member until the next block. */
export const paddingOf = (size) => (block - (size % block)) % block;

/** The tar header (POSIX ustar) of a file of this name and size, the same always. */
export function encodeHeader(name, size) {
  const header = Buffer.alloc(block);
  header.write(name, 0, 100, 'latin1');
  header.write('0000644\0' + '0000000\0' + '0000000\0', 100, 'latin1');
  // Eleven octal digits hold 8 GiB; beyond, the number is binary (GNU, star and bsdtar read both).
  if (size <= 0o77777777777) header.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  else {
    header[124] = 0x80;
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  header.write('00000000000\0' + '        ' + '0', 136, 'latin1');
  header.write('ustar\0' + '00', 257, 'latin1');
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/** Name and size of a header; null where it is not one that `encodeHeader` makes. */
function decodeHeader(header) {
  const end = header.indexOf(0);
  const name = header.toString('latin1', 0, Math.min(end === -1 ? 100 : end, 100));
  const size =
    header[124] === 0x80
      ? Number(header.readBigUInt64BE(128))
      : Number.parseInt(header.toString('latin1', 124, 135), 8);
  if (!Number.isSafeInteger(size) || size < 0 || !header.equals(encodeHeader(name, size))) return null;
  return { name, size };
}

async function readAt(handle, start, length) {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, start);
  return buffer.subarray(0, bytesRead);
}

/** Name, start and size of each member. */
async function readMembers(handle, file, fileBytes) {
  const members = [];
  let at = 0;
  for (;;) {
    const header = await readAt(handle, at, block);
    if (header.length < block) throw damaged(file, 'it ends too early');
    if (header.equals(zeros.subarray(0, block))) break;
    const member = decodeHeader(header);
    if (member === null || members.length > partNames.length + 3) throw damaged(file, `no part begins at byte ${at}`);
    const start = at + block;
    at = start + member.size + paddingOf(member.size);
    if (at > fileBytes) throw damaged(file, `it ends too early, in ${member.name}`);
    members.push({ ...member, start });
  }
  if (fileBytes !== at + zeros.length || !(await readAt(handle, at, zeros.length)).equals(zeros))
    throw damaged(file, 'it does not end where it should');
  return members;
}

function parseManifest(file, text, members) {
  let manifest;
  try {
    manifest = JSON.parse(text.toString('utf8'));
  } catch {
    throw damaged(file, `${manifestMember} is not JSON`);
  }
  const parts = Array.isArray(manifest?.parts) ? manifest.parts : [];
  const fits = members.every(({ name, size }, at) => {
    const part = parts[at];
    return (
      part?.name === name &&
      part.size === size &&
      size > 0 &&
      partNames[at] === name &&
      /^[0-9a-f]{64}$/.test(part.sha256)
    );
  });
  if (!fits || parts.length !== members.length || parts.length !== partNames.length)
    throw damaged(file, 'its parts are not those that it lists');
  return manifest;
}

/**
 * Read what a kit says of itself. Cheap: the parts are not read, see `verifyKit`.
 * @throws KitError kit_invalid, kit_mismatch, kit_damaged; what the file system says of a file that cannot be opened.
 */
export async function readKit(file) {
  const handle = await open(file, 'r');
  try {
    const stat = await handle.stat();
    if (!stat.isFile())
      throw new KitError('kit_invalid', `${file} is not a file.`, 'Name a file that "ballast kit export" wrote.');
    const head = await readAt(handle, 0, 2 * block);
    if (head.toString('latin1', 0, firstMember.length + 1) !== `${firstMember}\0`)
      throw new KitError('kit_invalid', `${file} is not a kit.`, 'Name a file that "ballast kit export" wrote.');
    const format = decodeHeader(head.subarray(0, block));
    if (head.length < 2 * block || format === null) throw damaged(file, 'its first bytes are not what they should be');
    const said = head.toString('latin1', block, block + Math.min(format.size, 16));
    if (said !== kitFormat) {
      if (!/^\d{1,6}\n$/.test(said)) throw damaged(file, 'it does not say its format');
      throw new KitError(
        'kit_mismatch',
        `${file} has format ${said.trim()}; this version of Ballast reads format ${kitFormat.trim()}.`,
        'Use the version of Ballast that exported it, or export it again with this one.',
      );
    }
    const members = await readMembers(handle, file, stat.size);
    const [sum, manifestAt] = [members.at(-1), members.at(-2)];
    if (sum?.name !== sumMember || manifestAt?.name !== manifestMember || manifestAt.size > maxManifestBytes)
      throw damaged(file, 'it has no list of its parts');
    const text = await readAt(handle, manifestAt.start, manifestAt.size);
    const expected = `${createHash('sha256').update(text).digest('hex')}  ${manifestMember}\n`;
    if (sum.size !== expected.length || (await readAt(handle, sum.start, sum.size)).toString('latin1') !== expected)
      throw damaged(file, 'the list of its parts was altered');
    const manifest = parseManifest(file, text, members.slice(1, -2));
    const parts = members.slice(1, -2).map((member, at) => ({ ...member, sha256: manifest.parts[at].sha256 }));
    return { file, size: stat.size, manifest, members, parts };
  } finally {
    await handle.close();
  }
}

/**
 * Read a whole kit and compare each byte with what it should be. Changes nothing.
 * @param kit of `readKit`
 * @param onBytes called with the number of bytes read so far
 * @returns the SHA-256 of the file, as sha256sum prints it
 * @throws KitError kit_damaged, naming the part
 */
export async function verifyKit(kit, onBytes = () => undefined) {
  const { file, size, members, parts } = kit;
  const whole = createHash('sha256');
  const sums = new Map(parts.map(({ name }) => [name, createHash('sha256')]));
  const bodies = members.map(({ name, start, size: length }) => ({ name, start, end: start + length }));
  let at = 0;
  let body = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes })) {
    whole.update(chunk);
    let from = 0;
    while (from < chunk.length && body < bodies.length) {
      const { name, start, end } = bodies[body];
      const position = at + from;
      if (position < start) from += Math.min(start - position, chunk.length - from);
      else if (position < end) {
        const to = from + Math.min(end - position, chunk.length - from);
        sums.get(name)?.update(chunk.subarray(from, to));
        from = to;
      } else {
        const left = end + paddingOf(end - start) - position;
        const to = from + Math.min(left, chunk.length - from);
        if (chunk.subarray(from, to).some((byte) => byte !== 0))
          throw damaged(file, `bytes after ${name} were altered`);
        if (to - from === left) body += 1;
        from = to;
      }
    }
    at += chunk.length;
    onBytes(at);
  }
  if (at !== size) throw damaged(file, 'it changed while it was read');
  for (const { name, sha256 } of parts)
    if (sums.get(name)?.digest('hex') !== sha256) throw damaged(file, `${name} was altered`);
  return whole.digest('hex');
}

/** The bytes of a part, as a stream. */
export function partStream(kit, name) {
  const { start, size } = kit.parts.find((part) => part.name === name);
  return createReadStream(kit.file, { start, end: start + size - 1, highWaterMark: chunkBytes });
}
