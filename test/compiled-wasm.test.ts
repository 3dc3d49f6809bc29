import { openWasm } from '@transfusion/wasm';
import { compiledSuite } from './support/compiled-suite';

compiledSuite({ open: () => openWasm({ threads: 2 }), programs: 300 });
