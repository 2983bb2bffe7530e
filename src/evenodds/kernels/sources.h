/* The digest of the other C files, as build_kernels.py writes it. */
#define SOURCES "660058c56e02e568"
