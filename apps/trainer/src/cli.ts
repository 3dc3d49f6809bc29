#!/usr/bin/env node
/** @file The `trainer` command. */
import { runInTerminal } from '@transfusion/app-common';
import { run } from './main.js';

await runInTerminal({ onStop: 'finishing what is in progress and saving' }, run);
