/** A set of base images that is obtained as a whole. `core` is what the first start obtains. */
export const languageTracks = ['python', 'node', 'rust', 'java'] as const;
export type LanguageTrack = (typeof languageTracks)[number];
export type Track = 'core' | LanguageTrack;
