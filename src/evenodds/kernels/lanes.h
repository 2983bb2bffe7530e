/* Eight doubles at a time, on every machine: the order of additions, and so every bit of a sum, is then the same on all.

   A compiler puts the eight lanes into one register, two or four. Sums that are not taken lane by lane are written out in
   the order in which they are to be added: no flag lets a compiler choose another one, nor fuse a product with a sum. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef double v8 __attribute__((vector_size(64), aligned(8), may_alias));
typedef int64_t l8 __attribute__((vector_size(64), aligned(8), may_alias));
typedef uint8_t b8 __attribute__((vector_size(8), aligned(1), may_alias));

#define JOIN_(name, kind, index, level) name##_##kind##index##level
#define JOIN(name, kind, index, level) JOIN_(name, kind, index, level)
#define L(name) JOIN(name, , , LEVEL)              /* name_3: one for each level of instructions */
#define F(name) JOIN(name, KIND, , LEVEL)          /* name_d3, name_s3: and for double and single entries */
#define S(name) JOIN(name, KIND, BITS_OF_INDEX, LEVEL)   /* name_d323: and for column numbers of 32 and 64 bits */

#define W(name) JOIN(name, KIND, PRODUCT, LEVEL)   /* name_ds3: double entries, single products */

#define ALL(x) ((v8){x, x, x, x, x, x, x, x})
#define AT(x) (*(v8 *)(x))                         /* the eight numbers from x on */
#define OF(x) (*(const v8 *)(x))
#define BITS(x) ((l8)(x))
#define PICK(mask, a, b) ((v8)(((mask) & BITS(a)) | (~(mask) & BITS(b))))

#define ADD_UP(x) ({ v8 a_ = (x); ((a_[0] + a_[4]) + (a_[2] + a_[6])) + ((a_[1] + a_[5]) + (a_[3] + a_[7])); })
#define SMALLER(a, b) ((a) < (b) ? (a) : (b))
#define ROUND_UP(n) (((n) + 7) / 8 * 8)
