/* The digest of the other C files, as build_kernels.py writes it. */
#define SOURCES "de30e035f0124d63"
