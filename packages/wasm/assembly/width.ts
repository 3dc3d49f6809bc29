/**
 * @file How wide a module's register tiles are. The build compiles `wide` as well: the same sources with this constant
 * turned on, for engines that make one 256-bit operation of two adjacent 128-bit ones. There a tile of 4 x 16 fits the
 * registers, and elsewhere it does not.
 *
 * What such an engine (V8's wasm-revectorize, from Node 24 on) asks of a kernel, wide or not: it starts from two stores to
 * adjacent addresses with nothing else that touches memory between them, and follows their values up to adjacent loads. So
 * loops handle two vectors at a time, load all before they store any, and store the second one of a pair first: an engine
 * that must not write half of a pair that traps writes the lower half apart if that came first.
 */
@inline
export const WIDE: bool = false;

/** Columns of a register tile, and their bytes. */
@inline
export const TILE_COLUMNS: i32 = WIDE ? 16 : 8;
@inline
export const TILE_BYTES: usize = <usize>TILE_COLUMNS << 2;
