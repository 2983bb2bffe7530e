/* The digest of the other C files, as build_kernels.py writes it. */
#define SOURCES "57254c0e249cc313"
