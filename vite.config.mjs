/** Builds the instructors' page into lib/dashboard, fit for a Content Security Policy without exceptions. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const path = relative => fileURLToPath(new URL(relative, import.meta.url));

export default defineConfig({
  root: path('./src/dashboard'),
  // Relative, so that the page also works below a proxy's prefix.
  base: './',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: path('./lib/dashboard'),
    emptyOutDir: true,
    target: 'es2022',
    // Browsers know light-dark() since May 2024; its replacement would triple the colours.
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    // Inlined assets would become data: URLs, which only images may be.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true
  }
});
