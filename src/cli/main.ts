#!/usr/bin/env node
/** The program `ipynb-telemetry`. */
import { run } from './run.js';

process.exitCode = await run(process.argv.slice(2), process.env, {
  out: line => void process.stdout.write(`${line}\n`),
  err: line => void process.stderr.write(`${line}\n`)
});
