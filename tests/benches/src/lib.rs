//! The benches lie in `benches/`: `kernels` measures the kernels of the CPU, `overhead` what an operation costs beside them.
