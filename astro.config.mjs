// @ts-check
import mdx from '@astrojs/mdx';
import svelte from '@astrojs/svelte';
import { defineConfig } from 'astro/config';
import { codeBlocks } from './src/markdown/code-blocks.ts';

export default defineConfig({
  output: 'static',
  integrations: [mdx(), svelte()],
  markdown: {
    // Tokens get class names in place of inline colours (see code-blocks.ts), so that one palette in CSS
    // serves both themes.
    shikiConfig: { theme: 'css-variables', transformers: [codeBlocks] },
  },
  build: { inlineStylesheets: 'never' },
  // No script is ever inlined: the server's Content-Security-Policy allows only files of our own.
  vite: { build: { assetsInlineLimit: 0 } },
  devToolbar: { enabled: false },
});
