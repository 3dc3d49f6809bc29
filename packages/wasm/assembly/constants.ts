/**
 * @file The constants of `math.ts`, which are read where they are used: a constant in the code takes newer engines several
 * instructions in every turn of a loop, one in memory a single load. On Node 24 exp is four times as fast so on 256 bits, two
 * and a half times on 128; on Node 20 it gains 7 %.
 */

// In the order of the offsets below. The first one is not used: engines recognise equal addresses of a pair of loads only
// where there is an offset.
const TABLE = memory.data<f32>([
  0, 1.44269504088896341, 12582912, 12583039, -0.693359375, 2.12194440e-4, 1.9875691500e-4, 1.3981999507e-3,
  8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1, 2, -0.5, -0.0, 89, -104, -87.33, 88,
  1.17549435e-38, 8388608, 0.707106769084930419921875, 23, 7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1,
  -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1, -Infinity,
  Infinity, NaN, 0.636619772367581343, -1.5625, -0.0081787109375, -0.00011730194091796875, -3.13916478589249e-7,
  -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1, 2.443315711809948e-5, -1.388731625493765e-3,
  4.166664568298827e-2, 131072, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1,
  -3.33332819422e-1, 0.625, -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1,
  1.28379166e-1, -1.7285347e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1,
  -1.28717512e-1, 0.927734375,
  0.6931470036506653, 0.24022242426872253, 0.05550733581185341, 0.009671512991189957, 0.0013264728477224708,
]);

/**
 * The table's address, to be read once in a function and handed to those of `math.ts`. It is computed when the module
 * starts (and is TABLE), because a constant would become part of every load, and the loads of a pair no longer equal.
 */
export const constants: usize = TABLE + <usize>(memory.size() >>> 17);

@inline export const LOG2_E: usize = 4;
/** 1.5 * 2^23: adding it rounds to an integer, which is then the difference of the bits. */
@inline export const ROUND: usize = 8;
/** ROUND + 127: the same with the bias of an f32's exponent. */
@inline export const BIASED_ROUND: usize = 12;
/** -ln 2 in two parts, the first of few bits. */
@inline export const LN_2_HIGH: usize = 16;
@inline export const LN_2_LOW: usize = 20;
/** e^r - 1 - r, divided by r^2. (Cephes) */
@inline export const EXP_0: usize = 24;
@inline export const EXP_1: usize = 28;
@inline export const EXP_2: usize = 32;
@inline export const EXP_3: usize = 36;
@inline export const EXP_4: usize = 40;
@inline export const EXP_5: usize = 44;
@inline export const ONE: usize = 48;
@inline export const TWO: usize = 52;
@inline export const MINUS_HALF: usize = 56;
/** Its bits are the sign's. */
@inline export const SIGN: usize = 60;
/** From here on e^x is surely infinite, ... */
@inline export const EXP_INFINITE: usize = 64;
/** ... up to here surely 0, ... */
@inline export const EXP_NOTHING: usize = 68;
/** ... and below this less than 2^-126. */
@inline export const EXP_TINY: usize = 72;
/** Up to here e^x is surely finite. */
@inline export const EIGHTY_EIGHT: usize = 76;
@inline export const LEAST_NORMAL: usize = 80;
@inline export const TWO_23: usize = 84;
/** Its bits divide the mantissas. */
@inline export const SQRT_HALF: usize = 88;
@inline export const TWENTY_THREE: usize = 92;
/** (Cephes) */
@inline export const LOG_0: usize = 96;
@inline export const LOG_1: usize = 100;
@inline export const LOG_2: usize = 104;
@inline export const LOG_3: usize = 108;
@inline export const LOG_4: usize = 112;
@inline export const LOG_5: usize = 116;
@inline export const LOG_6: usize = 120;
@inline export const LOG_7: usize = 124;
@inline export const LOG_8: usize = 128;
@inline export const MINUS_INFINITY: usize = 132;
@inline export const INFINITY: usize = 136;
@inline export const NOT_A_NUMBER: usize = 140;
@inline export const TWO_BY_PI: usize = 144;
/** -pi / 2 in parts of 7 bits: an integer times each of the first three is exact with and without fusing. */
@inline export const HALF_PI_0: usize = 148;
@inline export const HALF_PI_1: usize = 152;
@inline export const HALF_PI_2: usize = 156;
@inline export const HALF_PI_3: usize = 160;
/** (Cephes) */
@inline export const SIN_0: usize = 164;
@inline export const SIN_1: usize = 168;
@inline export const SIN_2: usize = 172;
@inline export const COS_0: usize = 176;
@inline export const COS_1: usize = 180;
@inline export const COS_2: usize = 184;
/** Beyond this, sin and cos reduce their argument by the standard library's exact method, lane by lane. */
@inline export const LARGE_ANGLE: usize = 188;
/** (Cephes) */
@inline export const TANH_0: usize = 192;
@inline export const TANH_1: usize = 196;
@inline export const TANH_2: usize = 200;
@inline export const TANH_3: usize = 204;
@inline export const TANH_4: usize = 208;
@inline export const TANH_SMALL: usize = 212;
/** (N. Juffa) */
@inline export const ERF_0: usize = 216;
@inline export const ERF_1: usize = 220;
@inline export const ERF_2: usize = 224;
@inline export const ERF_3: usize = 228;
@inline export const ERF_4: usize = 232;
@inline export const ERF_5: usize = 236;
@inline export const ERF_6: usize = 240;
@inline export const ERF_7: usize = 244;
@inline export const ERF_8: usize = 248;
@inline export const ERF_9: usize = 252;
@inline export const ERF_10: usize = 256;
@inline export const ERF_11: usize = 260;
@inline export const ERF_12: usize = 264;
@inline export const ERF_SMALL: usize = 268;
/** (2^f - 1) / f on [-1/2, 1/2]: the coefficients with the least largest error, relative to 2^f. */
@inline export const EXP2_1: usize = 272;
@inline export const EXP2_2: usize = 276;
@inline export const EXP2_3: usize = 280;
@inline export const EXP2_4: usize = 284;
@inline export const EXP2_5: usize = 288;
