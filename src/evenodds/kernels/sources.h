/* The digest of the other C files, as build_kernels.py writes it. */
#define SOURCES "349bb53a72960daf"
