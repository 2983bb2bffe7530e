/* The digest of the other C files, as build_kernels.py writes it. */
#define SOURCES "7bf65b7318c34e29"
