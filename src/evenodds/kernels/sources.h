/* The digest of the other C files, as build_kernels.py writes it. */
#define SOURCES "8396762067f8f77f"
