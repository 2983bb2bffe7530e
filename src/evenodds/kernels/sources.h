/* The digest of the other C files, as build_kernels.py writes it. */
#define SOURCES "81f6138ee1e2d035"
