#include "tests/elements/preprocess/fake_device.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

#include "elements/preprocess/cuda_device.hpp"

namespace tv::preprocess {
namespace {

constexpr int kThreads = kTileWidth * kTileHeight;

// cuda_device.cu's kernel: each() is what all threads do between two barriers.
template <typename T, bool kVerticalFirst>
void run_block(const DeviceLaunch& launch, int x, int y, int z, std::uint32_t* shared) {
  std::vector<Tile<T, kVerticalFirst>> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back(launch, x, y, z, t % kTileWidth, t / kTileWidth, shared);
  const auto each = [&](const auto& work) {
    for (int t = 0; t < kThreads; ++t)
      work(threads[static_cast<std::size_t>(test::g_threads_backwards ? kThreads - 1 - t : t)]);
  };
  const int strips = threads[0].strips();
  each([](auto& tile) { tile.stage(0); });
  for (int strip = 0; strip < strips; ++strip) {
    each([&](auto& tile) { tile.first_axis(strip); });
    each([&](auto& tile) {
      tile.second_axis(strip);
      tile.stage(strip + 1);
    });
  }
  each([](auto& tile) { tile.store(); });
}

template <typename T, bool kVerticalFirst>
void run_grid(const DeviceLaunch& launch) {
  for (int z = 0; z < launch.frame_count; ++z)
    for (int y = 0; y < launch.tiles_down(); ++y)
      for (int x = 0; x < launch.tiles_across(); ++x) {
        // Exactly the words that a launch asks for, and nothing useful in them.
        std::vector<std::uint32_t> shared(static_cast<std::size_t>(launch.shared_words()),
                                          0x7fc0dead);
        run_block<T, kVerticalFirst>(launch, x, y, z, shared.data());
      }
}

}  // namespace

int device_current(int* device) {
  *device = test::g_device;
  return test::g_current_error;
}

int device_upload(const void* data, std::size_t bytes, void** memory) {
  *memory = nullptr;
  if (test::g_upload_error != 0) return test::g_upload_error;
  *memory = std::malloc(bytes);
  std::memcpy(*memory, data, bytes);
  ++test::g_blocks;
  return 0;
}

int device_download(const void* memory, std::size_t bytes, void* data, void*) {
  std::memcpy(data, memory, bytes);
  return 0;
}

void device_release(void* memory) {
  if (memory != nullptr) --test::g_blocks;
  std::free(memory);
}

int device_launch(const DeviceLaunch& launch, void*) {
  if (test::g_launch_error != 0) return test::g_launch_error;
  ++test::g_launches;
  switch (launch.kernel) {
    case DeviceKernel::kTensor:
      run_grid<float, false>(launch);
      break;
    case DeviceKernel::kPil:
      run_grid<std::int32_t, false>(launch);
      break;
    case DeviceKernel::kPilVerticalFirst:
      run_grid<std::int32_t, true>(launch);
      break;
  }
  return 0;
}

const char* device_error_text(int error) {
  return error == 2 ? "out of memory" : "no device";
}

}  // namespace tv::preprocess
