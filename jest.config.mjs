/**
 * Four projects: `unit` runs beside the sources in milliseconds to seconds,
 * `servers` puts the relay among real servers and real clients of PostHog,
 * `browser` drives real JupyterLab and Notebook servers with Chromium,
 * `packaging` takes what `npm run build` made and installs, packs and starts it.
 * Where KAFKA_HOME names a Kafka, `kafka` puts one between relays.
 */
const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // The labextension folder holds a package.json of the same name.
  modulePathIgnorePatterns: [
    '<rootDir>/labextension',
    '<rootDir>/lib',
    '<rootDir>/.venv'
  ],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.tsx?$': [
      'ts-jest',
      {
        useESM: true,
        diagnostics: false, // `tsc -b` checks the types; here they are only stripped.
        tsconfig: {
          target: 'ES2022',
          module: 'ESNext',
          moduleResolution: 'bundler',
          isolatedModules: true,
          verbatimModuleSyntax: true,
          esModuleInterop: true
        }
      }
    ]
  }
};

export default {
  // A test says what arrives, not how fast: five seconds are few where many run at once.
  testTimeout: 30_000,
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/test/**/*.spec.ts',
        '<rootDir>/test/scripts/**/*.spec.mjs'
      ],
      testPathIgnorePatterns: [
        '/node_modules/',
        '<rootDir>/test/browser/',
        '<rootDir>/test/packaging/',
        '<rootDir>/test/servers/',
        '<rootDir>/test/kafka/'
      ]
    },
    {
      ...common,
      displayName: 'servers',
      testMatch: ['<rootDir>/test/servers/**/*.spec.ts']
    },
    {
      ...common,
      displayName: 'browser',
      testMatch: ['<rootDir>/test/browser/**/*.spec.ts']
    },
    {
      ...common,
      displayName: 'packaging',
      testMatch: ['<rootDir>/test/packaging/**/*.spec.mjs']
    },
    ...(process.env.KAFKA_HOME
      ? [
          {
            ...common,
            displayName: 'kafka',
            testMatch: ['<rootDir>/test/kafka/**/*.spec.ts']
          }
        ]
      : [])
  ]
};
