#!/usr/bin/env node
/** @file The `sampler` command. */
import { processTerminal } from '@transfusion/app-common';
import { run } from './main.js';

const terminal = processTerminal({ onStop: 'stopping' });
process.exitCode = await run(process.argv.slice(2), terminal);
terminal.dispose();
