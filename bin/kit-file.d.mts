import type { ReadStream } from 'node:fs';

export declare const kitFormat: string;
export declare const firstMember: string;
export declare const manifestMember: string;
export declare const sumMember: string;
export declare const partNames: readonly string[];

export declare class KitError extends Error {
  constructor(code: KitError['code'], message: string, hint: string);
  readonly code: 'kit_invalid' | 'kit_damaged' | 'kit_mismatch';
  readonly hint: string;
}

/** A member of the tar: where its bytes begin in the file. */
interface Member {
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

export interface KitFile {
  readonly file: string;
  readonly size: number;
  /** kit.json, of which only the list of parts has been looked at. */
  readonly manifest: unknown;
  readonly members: readonly Member[];
  readonly parts: readonly (Member & { readonly sha256: string })[];
}

export declare function paddingOf(size: number): number;
export declare function encodeHeader(name: string, size: number): Buffer;
export declare function readKit(file: string): Promise<KitFile>;
export declare function verifyKit(kit: KitFile, onBytes?: (bytes: number) => void): Promise<string>;
export declare function partStream(kit: KitFile, name: string): ReadStream;
