/** @file The worker: the engine, for the page to call. */
import { expose } from 'comlink';
import { Engine } from './engine.js';

expose(new Engine());
