#!/usr/bin/env node
/** @file The `trainer` command. */
import { processTerminal } from '@transfusion/app-common';
import { run } from './main.js';

const terminal = processTerminal({ onStop: 'finishing what is in progress and saving' });
process.exitCode = await run(process.argv.slice(2), terminal);
terminal.dispose();
