import js from '@eslint/js';
import astro from 'eslint-plugin-astro';
import svelte from 'eslint-plugin-svelte';
import prettier from 'eslint-config-prettier';
import globals from 'globals';
import ts from 'typescript-eslint';

const typed = ['**/*.ts', '**/*.svelte', '**/*.svelte.ts'];

export default ts.config(
  { ignores: ['dist/', '.astro/', 'node_modules/', 'labs/', 'test-results/', 'playwright-report/'] },
  js.configs.recommended,
  ...ts.configs.strictTypeChecked.map((config) => ({ ...config, files: typed })),
  ...ts.configs.stylisticTypeChecked.map((config) => ({ ...config, files: typed })),
  ...astro.configs['flat/recommended'],
  ...svelte.configs['flat/recommended'],
  {
    files: typed,
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['*.config.ts'] },
        extraFileExtensions: ['.svelte'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // `import type` is what type stripping needs.
      '@typescript-eslint/consistent-type-imports': 'error',
      // Index signatures are read as ["name"]: the compiler's noPropertyAccessFromIndexSignature asks for it.
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  { files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
  { files: ['src/**', 'public/**'], languageOptions: { globals: globals.browser } },
  { files: ['*.mjs', 'bin/**', 'sandbox-server/**', 'tests/**'], languageOptions: { globals: globals.node } },
  { files: ['**/*.test.ts', 'tests/**'], rules: { '@typescript-eslint/no-non-null-assertion': 'off' } },
  prettier,
  ...svelte.configs['flat/prettier'],
);
