#!/usr/bin/env node
/** @file The `sampler` command. */
import { runInTerminal } from '@transfusion/app-common';
import { run } from './main.js';

await runInTerminal({ onStop: 'stopping', leaveOn: ['SIGINT', 'SIGTERM'] }, run);
