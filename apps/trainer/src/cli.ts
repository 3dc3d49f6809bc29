#!/usr/bin/env node
/** @file The `trainer` command. */
import { runInTerminal } from '@transfusion/app-common';
import { run } from './main.js';

await runInTerminal({ onStop: 'stopping, after saving what can be gone on with' }, run);
