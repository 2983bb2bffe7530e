/* The loops of evenodds, for each level of vector instructions; which of them a machine has.

   The files *.inc are included once a level (on x86-64 three times, elsewhere once), and in these once a type of entries.
   A function's name ends in what it is for: rows_c_d4 takes C order, double entries, level 4. Python picks the level. */
#include "lanes.h"
#include "model.h"
#include "sources.h"

#define MOST_ROWS 64                               /* of a tile in C order */
#define COLUMNS 512                                /* at a time: with those of all classes they stay near */
#define SUMMED 512                                 /* rows whose gradients are summed in the precision of the products */

#ifndef __clang__
#pragma GCC diagnostic ignored "-Wpsabi"           /* vectors are only passed to functions of this file */
#endif

#define LEVEL 2
#define LANES 2
#include "level.inc"
#undef LEVEL
#undef LANES

#ifdef __x86_64__
#include <cpuid.h>

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx,avx2,bmi,bmi2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#endif
#define LEVEL 3
#define LANES 4
#include "level.inc"
#undef LEVEL
#undef LANES
#ifdef __clang__
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx,avx2,bmi,bmi2,fma,avx512f,avx512dq,avx512bw,avx512cd,avx512vl"), \
                                            min_vector_width(512))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#endif
#define LEVEL 4
#define LANES 8
#include "level.inc"
#undef LEVEL
#undef LANES
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* Which registers the system saves: a processor may have instructions that the system does not allow. */
static uint64_t saved_registers(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

EXPORT int machine_level(void)
{
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 2;
    uint32_t fma = 1u << 12, osxsave = 1u << 27, avx = 1u << 28;
    if ((c & (fma | osxsave | avx)) != (fma | osxsave | avx)) return 2;
    uint64_t saved = saved_registers();
    if ((saved & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 2;
    uint32_t bmi = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8;
    if ((b & (bmi | avx2 | bmi2)) != (bmi | avx2 | bmi2)) return 2;
    uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;   /* f, dq, cd, bw, vl */
    return (b & avx512) == avx512 && (saved & 0xe6) == 0xe6 ? 4 : 3;
}
#else
EXPORT int machine_level(void) { return 2; }
#endif

EXPORT const char *sources(void) { return SOURCES; }
