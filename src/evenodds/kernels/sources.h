/* The digest of the other C files, as build_kernels.py writes it. */
#define SOURCES "bcd1b060312b25d0"
