// 1080p NV12 frames in GPU memory to the network's input, timed on demand.
//   gpu-preprocess-benchmark BATCH
// Prints "ready SIDE"; then for each line that it reads the milliseconds of one batch: fp16,
// channels-last of 4, ResNet-50's recipe. preprocess.py drives it.
#include <chrono>
#include <iostream>
#include <string>

#include "elements/preprocess/cuda.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/gpu/gpu.hpp"

using namespace tv;
using namespace tv::gpu;

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: gpu-preprocess-benchmark BATCH\n"), 2;
  need_gpu();
  const auto count = static_cast<std::size_t>(std::stoul(argv[1]));
  constexpr int kRepeats = 50;
  const Transforms recipe = value_of(get_model_weights("resnet50"), "weights").front()->preset;
  const auto kernels =
      value_of(make_cuda_preprocessor(value_of(make_plan(recipe, 1920, 1080), "plan")), "kernels");
  test::Bytes random(1);
  test::FrameShape shape;
  shape.width = 1920;
  shape.height = 1080;
  const test::OwnedFrame frame =
      test::make_frame(PixelFormat::kNv12, shape, [&] { return random(); });
  // A frame of its own for each place: otherwise the GPU's cache would hold them all.
  std::vector<std::unique_ptr<DeviceCopy>> copies;
  std::vector<FrameView> views;
  for (std::size_t i = 0; i < count; ++i) {
    copies.push_back(std::make_unique<DeviceCopy>(frame.memory));
    views.push_back(moved(frame.view, frame.memory, copies.back()->data()));
  }
  const auto crop = static_cast<std::size_t>(recipe.crop_size);
  const std::size_t image = crop * crop * 4 * 2;
  const DeviceCopy out(std::vector<std::uint8_t>(image * count));
  const DeviceOutput output{.data = out.data(),
                            .bytes = image * count,
                            .stride = image,
                            .type = DeviceType::kFloat16,
                            .layout = DeviceLayout::kChannelsLast,
                            .channels = 4};
  std::cout << "ready " << recipe.crop_size << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::uint32_t last = 0;
    out.read(&last, sizeof last);  // waits for what was before
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kRepeats; ++i) require_ok(kernels->run(views, output, nullptr), "run");
    out.read(&last, sizeof last);
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    std::cout << spent.count() / kRepeats << std::endl;
  }
  return 0;
}
