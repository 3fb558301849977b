/* The kernels once more, in C with NEON intrinsics: what they are measured against.
 * Each gives the same bits as the kernel of the same name. What can't work on vectors, such as a
 * recursion from sample to sample, is plain C. Frames are multiples of 32 samples, and nobody looks
 * whether arguments are right. constants.h has the kernels' own tables and words of rows.
 * Built freestanding: clang -O3 -mcpu=... */
#include <arm_neon.h>
#include <stdint.h>

#include "constants.h"

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#include "frames.c"
#include "line.c"
#include "g722.c"
#include "g726.c"
#include "repair.c"
#include "recording.c"
#include "jitter.c"
