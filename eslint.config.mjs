/** Style rules beyond what prettier settles; `npm run lint` allows no warning. */
import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/** What Node and the web both have as globals; the rest of the checking is TypeScript's. */
const NODE_GLOBALS = Object.fromEntries(
  Object.getOwnPropertyNames(globalThis)
    .filter(name => /^[a-zA-Z]\w*$/.test(name))
    .map(name => [name, 'readonly'])
);
const JEST_GLOBALS = Object.fromEntries(
  'describe it test expect beforeAll beforeEach afterAll afterEach'
    .split(' ')
    .map(name => [name, 'readonly'])
);

export default tseslint.config(
  {
    ignores: [
      'lib/',
      'labextension/',
      'dist/',
      '.venv/',
      '.cache/',
      '.ipynb-telemetry/',
      'test-results/'
    ]
  },
  js.configs.recommended,
  {
    rules: {
      eqeqeq: ['error', 'smart'],
      curly: 'error',
      'no-console': ['error', { allow: ['warn', 'error'] }],
      'prefer-const': 'error',
      // Names and texts are checked for control characters.
      'no-control-regex': 'off'
    }
  },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommended],
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        {
          argsIgnorePattern: '^_',
          varsIgnorePattern: '^_',
          caughtErrors: 'none'
        }
      ],
      // TypeScript itself knows every name.
      'no-undef': 'off'
    }
  },
  {
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    languageOptions: {
      parserOptions: {
        projectService: true,
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      // The way around the rooms: by the package's own name, or by what was compiled.
      'no-restricted-imports': [
        'error',
        { patterns: ['ipynb-telemetry', 'ipynb-telemetry/*', '**/lib/**'] }
      ],
      // A promise that nobody waits for hides its failure: `void` says that it is meant.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error'
    }
  },
  {
    files: ['src/lab/**/*.ts', 'src/lab/**/*.tsx'],
    plugins: { jupyter },
    rules: jupyter.configs.recommended.find(({ rules }) =>
      Object.hasOwn(rules, 'jupyter/token-format')
    ).rules
  },
  {
    // Programs for a terminal.
    files: ['src/cli/**/*.ts', 'scripts/**', 'bench/**', 'test/**'],
    rules: { 'no-console': 'off' }
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: { globals: NODE_GLOBALS }
  },
  {
    files: ['test/**/*.mjs'],
    languageOptions: { globals: JEST_GLOBALS }
  },
  prettier
);
