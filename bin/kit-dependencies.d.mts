export declare function bringDependencies(
  file: string,
  options: { readonly modules: string; readonly wanted: { readonly machine: string; readonly digest: string } },
): Promise<void>;
