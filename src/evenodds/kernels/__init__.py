"""The loops over rows and columns, in C, and the thin faces that call them.

`kernels.c` and what it includes is compiled when evenodds is built (`build_kernels.py` at the root of a checkout) and
loaded by `library.py`. `rows.py`, `softmax.py`, `descent.py` and `small_path.py` check lengths, types and strides
before an address is given away. Sums are taken in eight lanes and in a fixed order, with an exponential and a logarithm
of our own: every machine, compiler and level of vector instructions gives the same bits.
"""
