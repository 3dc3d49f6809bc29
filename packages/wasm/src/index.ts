export { openWasm, type WasmOptions } from './backend.js';
