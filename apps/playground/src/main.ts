/** @file The page begins: isolated where it can be, then the app. */
import 'uplot/dist/uPlot.min.css';
import './styles/base.css';
import './styles/controls.css';
import { mount } from 'svelte';
import App from './App.svelte';
import { isolated } from './isolate.js';

if (await isolated()) mount(App, { target: document.getElementById('app')! });
