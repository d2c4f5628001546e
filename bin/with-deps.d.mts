export declare function installedFor(): { readonly machine: string; readonly digest: string };
export declare const neverPacked: readonly string[];
