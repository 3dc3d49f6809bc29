/** @file Every sampler, in the order in which they are offered. A new one is a file in this folder and a line here. */
import { ddim } from './ddim.js';
import { ddpm } from './ddpm.js';
import { dpmSolver } from './dpm-solver.js';
import { euler } from './euler.js';
import { heun } from './heun.js';

export const samplers = [ddim, ddpm, dpmSolver, euler, heun] as const;
