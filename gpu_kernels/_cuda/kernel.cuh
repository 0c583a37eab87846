// What every CUDA text begins with. The texts keep to what C and CUDA C++ have in common, so that the tests can
// compile and run the very same texts on the host; there these macros come from the tests' header.
//
// PIXEL is the type of the frames' pixels, VALUE one that holds any pixel exactly.
#ifndef KERNEL
#define KERNEL extern "C" __global__
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif
