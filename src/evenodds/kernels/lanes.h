/* Eight lanes of doubles, on every machine: the order of additions, and so every bit of a sum, is then the same on all.

   A level of instructions has registers of LANES doubles, and the eight lanes of a sum are so many parts: V sum[PARTS].
   Sums that are not taken lane by lane are written out in the order in which they are to be added: no flag lets a compiler
   choose another one, nor fuse a product with a sum. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define INLINE static inline __attribute__((always_inline))

#define JOIN_(name, kind, index, level) name##_##kind##index##level
#define JOIN(name, kind, index, level) JOIN_(name, kind, index, level)
#define L(name) JOIN(name, , , LEVEL)              /* name_3: one for each level of instructions */
#define F(name) JOIN(name, KIND, , LEVEL)          /* name_d3, name_s3: and for double and single entries */
#define S(name) JOIN(name, KIND, BITS_OF_INDEX, LEVEL)   /* name_d323: and for column numbers of 32 and 64 bits */

#define W(name) JOIN(name, KIND, PRODUCT, LEVEL)   /* name_ds3: double entries, single products */

typedef double four __attribute__((vector_size(32), aligned(8), may_alias));
typedef double two __attribute__((vector_size(16), aligned(8), may_alias));

#define V L(doubles)                               /* LANES doubles, integers, bytes; LANES and L belong to the level */
#define I L(integers)
#define B L(bytes)
#define PARTS (8 / LANES)
#define EACH_PART for (int part = 0; part < PARTS; part++)

#define ALL(x) ((V)((V){0} + (x)))
#define AT(x) (*(V *)(x))                          /* the numbers from x on */
#define OF(x) (*(const V *)(x))
#define BITS(x) ((I)(x))
#define PICK(mask, a, b) ((V)(((mask) & BITS(a)) | (~(mask) & BITS(b))))

#define SMALLER(a, b) ((a) < (b) ? (a) : (b))
#define ROUND_UP(n) (((n) + 7) / 8 * 8)
