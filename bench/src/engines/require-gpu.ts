/** @file Environment variable that makes our engine refuse software adapters, in its own process. */

export const REQUIRE_GPU = 'TRANSFUSION_BENCH_REQUIRE_GPU';
