// What the tests ask of CUDA itself.
namespace {
// Ends its process's use of the GPU, as a bug in anybody's kernel would.
__global__ void trap() {
  asm("trap;");
}
}  // namespace

/// Starts it and waits. CUDA's error number.
extern "C" int tv_gpu_trap() {
  trap<<<1, 1>>>();
  return static_cast<int>(cudaDeviceSynchronize());
}

/// Of the current GPU; -1 where it cannot be said.
extern "C" long tv_gpu_free_mebibytes() {
  size_t free = 0, total = 0;
  return cudaMemGetInfo(&free, &total) == cudaSuccess ? static_cast<long>(free >> 20) : -1;
}
