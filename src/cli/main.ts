#!/usr/bin/env node
/** The program `ipynb-telemetry`. */
import { buffer } from 'node:stream/consumers';
import { run } from './run.js';

// A reader that goes away (`| head`) is no failure of the command.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

process.exitCode = await run(process.argv.slice(2), process.env, {
  out: line => void process.stdout.write(`${line}\n`),
  err: line => void process.stderr.write(`${line}\n`),
  read: () => buffer(process.stdin),
  write: text => void process.stdout.write(text)
});
