// What every CUDA text begins with. The texts keep to what C and CUDA C++ have in common, so that the tests can
// compile and run the very same texts on the host; there these macros come from the tests' header.
//
// PIXEL is the type of the frames' pixels, VALUE one that holds any pixel exactly.
#ifndef KERNEL
#define KERNEL extern "C" __global__
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

// Outcomes of one star fit, and how far a fit may wander from its start.
enum { SEEN, OFF, FAINT, SATURATED, SHARP, DIVERGED };
enum { LARGEST_MOVE = 3 };

// First row or column of a star's box, which reaches this far about the place expected.
#define CORNER(place, reach) ((int)floor((place) + 0.5) - (reach))

// Whether a star is expected anywhere.
#define PLACED(x, y) (fabs(x) < 1e9 && fabs(y) < 1e9)
