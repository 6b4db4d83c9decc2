// The kernels; their arithmetic is layer_math.hpp's.
#include <cuda_runtime_api.h>

#include "elements/inference/backend_cuda/kernels.hpp"

namespace tv::inference {
namespace {

constexpr int kThreads = 256;
constexpr int kLanes = 32;
constexpr int kPackBytes = 16;  // the widest access to memory

// Each thread's packs: the next one is as far away as all threads reach together.
struct AffineStep {
  template <typename T, int kWidth>
  static __device__ void run(const AffineLaunch& launch, std::int64_t begin) {
    affine<T, kWidth>(launch, begin);
  }
};
struct PoolStep {
  template <typename T, int kWidth>
  static __device__ void run(const PoolLaunch& launch, std::int64_t begin) {
    max_pool<T, kWidth>(launch, begin);
  }
};

template <typename Step, typename T, int kWidth, typename Launch>
__global__ void by_pack_kernel(const __grid_constant__ Launch launch) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads * kWidth;
  for (std::int64_t begin =
           (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kWidth;
       begin < launch.elements; begin += step)
    Step::template run<T, kWidth>(launch, begin);
}

// More blocks than fit at a time, so that none waits for a slow one; not so many that their start
// costs.
constexpr std::int64_t kMostBlocks = 132 * 16;

template <typename Step, typename T, int kWidth, typename Launch>
void start(const Launch& launch, cudaStream_t stream) {
  const std::int64_t packs = launch.elements / kWidth;
  const std::int64_t blocks = (packs + kThreads - 1) / kThreads;
  by_pack_kernel<Step, T, kWidth>
      <<<static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks), kThreads, 0, stream>>>(
          launch);
}

template <typename Step, typename T, typename Launch>
void start_of_type(const Launch& launch, cudaStream_t stream) {
  constexpr int kWide = kPackBytes / static_cast<int>(sizeof(T));
  if (launch.channels % kWide == 0)
    start<Step, T, kWide>(launch, stream);
  else
    start<Step, T, 1>(launch, stream);
}

__device__ Ranked first_of_warp(Ranked mine) {
  for (int distance = kLanes / 2; distance > 0; distance /= 2) {
    const Ranked other{__shfl_xor_sync(~0U, mine.logit, distance),
                       __shfl_xor_sync(~0U, mine.index, distance)};
    if (before(other, mine)) mine = other;
  }
  return mine;
}

__device__ double sum_of_warp(double mine) {
  for (int distance = kLanes / 2; distance > 0; distance /= 2)
    mine += __shfl_xor_sync(~0U, mine, distance);
  return mine;
}

// A warp a row: what a lane reads again and again stays in the first cache.
__global__ void top_k_kernel(const __grid_constant__ TopKLaunch launch) {
  const int lane = static_cast<int>(threadIdx.x);
  const auto row = static_cast<std::int64_t>(blockIdx.x);
  const float* logits = launch.logits + row * launch.classes;
  RankedScore* answers = launch.answers + row * kDeviceTopK;
  const Ranked best =
      first_of_warp(best_behind(logits, launch.classes, Ranked{0, -1}, lane, kLanes));
  const double sum = sum_of_warp(exponentials(logits, launch.classes, best.logit, lane, kLanes));
  Ranked next = best;
  for (int k = 0; k < kDeviceTopK; ++k) {
    if (lane == 0) answers[k] = scored(next, best.logit, sum);
    if (next.index >= 0)
      next = first_of_warp(best_behind(logits, launch.classes, next, lane, kLanes));
  }
}

int launched() {
  return static_cast<int>(cudaGetLastError());
}

template <typename Step, typename Launch>
int start_by_pack(const Launch& launch, LayerType type, void* stream) {
  if (launch.elements == 0) return 0;
  const auto on = static_cast<cudaStream_t>(stream);
  switch (type) {
    case LayerType::kFloat32:
      start_of_type<Step, float>(launch, on);
      break;
    case LayerType::kFloat16:
      start_of_type<Step, Float16>(launch, on);
      break;
    case LayerType::kBFloat16:
      start_of_type<Step, BFloat16>(launch, on);
      break;
  }
  return launched();
}

}  // namespace

int launch_affine(const AffineLaunch& launch, LayerType type, void* stream) {
  return start_by_pack<AffineStep>(launch, type, stream);
}

int launch_max_pool(const PoolLaunch& launch, LayerType type, void* stream) {
  return start_by_pack<PoolStep>(launch, type, stream);
}

int launch_top_k(const TopKLaunch& launch, void* stream) {
  if (launch.rows == 0) return 0;
  top_k_kernel<<<static_cast<unsigned>(launch.rows), kLanes, 0,
                 static_cast<cudaStream_t>(stream)>>>(launch);
  return launched();
}

}  // namespace tv::inference
