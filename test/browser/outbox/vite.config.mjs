/** Bundles the page of the outbox's tests into one script. */
import { defineConfig } from 'vite';
import { fileURLToPath } from 'node:url';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  logLevel: 'warn',
  build: {
    outDir: process.env.OUT_DIR,
    emptyOutDir: false,
    minify: false,
    lib: {
      entry: 'page.ts',
      formats: ['iife'],
      name: 'page',
      fileName: () => 'page.js'
    }
  }
});
