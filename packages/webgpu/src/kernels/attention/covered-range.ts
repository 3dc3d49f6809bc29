/** @file What intervals of all threads of a workgroup cover together: tiles outside of it are not looked at. */

/** Module-scope declarations; positions are below `length`. */
export function coveredRangeWgsl(length: number): string {
  return `
var<workgroup> reach: array<atomic<u32>, 2>;
var<workgroup> visited: vec2u;
const LENGTH = ${length}u;
// The lower end is kept as its distance from the top: both ends are then maxima of numbers that start as 0.
fn cover(low: u32, high: u32) {
  atomicMax(&reach[0], LENGTH - low);
  atomicMax(&reach[1], high);
}`;
}

/**
 * Leaves in `range: vec2u` the smallest interval that covers all intervals [low, high) the workgroup's threads found, the same for
 * all threads (an empty one if there were none). `find` are WGSL statements that call `cover(low, high)`; `thread` is in scope.
 */
export function coveredRange(find: string): string {
  return `
  if (thread == 0u) {
    atomicStore(&reach[0], 0u);
    atomicStore(&reach[1], 0u);
  }
  workgroupBarrier();
${find}
  workgroupBarrier();
  if (thread == 0u) { visited = vec2u(LENGTH - atomicLoad(&reach[0]), atomicLoad(&reach[1])); }
  let range = workgroupUniformLoad(&visited);`;
}
