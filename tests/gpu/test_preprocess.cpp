// The kernels against the reference on the CPU, bit for bit: every format, both backends, random
// frames, recipes and layouts, extreme values, all element types.
//   test_gpu_preprocess [BATCHES]      120 by default; the seed is printed
#include <bit>
#include <cstring>

#include "elements/preprocess/cuda.hpp"
#include "elements/preprocess/half.hpp"
#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/gpu/gpu.hpp"

using namespace tv;
using namespace tv::gpu;
using namespace tv::test;

namespace {

// clang-format off
struct LayoutRow { const char* name; DeviceType type; DeviceLayout layout; int channels; };
constexpr LayoutRow kLayouts[] = {
  {"fp32 planar",     DeviceType::kFloat32,  DeviceLayout::kPlanar,       3},
  {"fp16 planar",     DeviceType::kFloat16,  DeviceLayout::kPlanar,       3},
  {"bf16 planar",     DeviceType::kBfloat16, DeviceLayout::kPlanar,       3},
  {"fp32 last of 3",  DeviceType::kFloat32,  DeviceLayout::kChannelsLast, 3},
  {"fp16 last of 4",  DeviceType::kFloat16,  DeviceLayout::kChannelsLast, 4},
  {"fp16 last of 8",  DeviceType::kFloat16,  DeviceLayout::kChannelsLast, 8},
  {"bf16 last of 4",  DeviceType::kBfloat16, DeviceLayout::kChannelsLast, 4},
  {"fp32 last of 4",  DeviceType::kFloat32,  DeviceLayout::kChannelsLast, 4},
};
struct FillRow { const char* name; int value; };  // of every byte; -1: random
constexpr FillRow kFills[] = {{"random", -1}, {"random", -1}, {"zeros", 0}, {"ones", 255}, {"middle", 128}};
// clang-format on

std::vector<std::uint8_t> encoded(const std::vector<float>& planar, int crop,
                                  const LayoutRow& row) {
  const auto pixels = static_cast<std::size_t>(crop) * static_cast<std::size_t>(crop);
  const auto channels = static_cast<std::size_t>(row.channels);
  const std::size_t element = row.type == DeviceType::kFloat32 ? 4 : 2;
  std::vector<std::uint8_t> bytes(pixels * channels * element, 0);
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t i = 0; i < pixels; ++i) {
      const float value = planar[c * pixels + i];
      const std::size_t at =
          (row.layout == DeviceLayout::kPlanar ? c * pixels + i : i * channels + c) * element;
      if (element == 4) {
        std::memcpy(&bytes[at], &value, 4);
      } else {
        const std::uint16_t half = row.type == DeviceType::kFloat16
                                       ? preprocess::float16_bits(value)
                                       : preprocess::bfloat16_bits(value);
        std::memcpy(&bytes[at], &half, 2);
      }
    }
  return bytes;
}

/// A batch of frames of one plan; 1..35 of them, so that some take two launches.
void compare(Bytes& random, const PixelFormatInfo& info, const LayoutRow& row, const FillRow& fill,
             TransformsBackend backend) {
  OwnedFrame first = random_frame(info.format, random, 700);
  const Transforms recipe = random_recipe(random);
  const auto plan = make_plan(recipe, first.view.width, first.view.height, backend);
  if (!plan) return;  // a side that would be resized to nothing
  const std::size_t count =
      random.between(0, 3) == 0 ? static_cast<std::size_t>(random.between(2, 35)) : 1;
  const auto reference =
      value_of(make_preprocessor(*plan, PreprocessPath::kReference), "reference");
  const auto kernels = value_of(make_cuda_preprocessor(*plan), "kernels");
  const auto crop = static_cast<std::size_t>(plan->crop_size);

  std::vector<std::vector<std::uint8_t>> expected;
  std::vector<std::unique_ptr<DeviceCopy>> copies;
  std::vector<FrameView> views;
  for (std::size_t i = 0; i < count; ++i) {
    for (auto& byte : first.memory)
      byte = fill.value < 0 ? random() : static_cast<std::uint8_t>(fill.value);
    std::vector<float> values(3 * crop * crop);
    require_ok(reference->run(first.view, values), "reference");
    expected.push_back(encoded(values, plan->crop_size, row));
    copies.push_back(std::make_unique<DeviceCopy>(first.memory));
    views.push_back(moved(first.view, first.memory, copies.back()->data()));
  }
  // A gap between the images, which must stay as it is, as must what lies behind them.
  const std::size_t stride = expected[0].size() + 64 - expected[0].size() % 32;
  const std::vector<std::uint8_t> before(stride * count, 0xA5);
  const DeviceCopy out(before);
  DeviceOutput output;
  output.data = out.data();
  output.bytes = before.size();
  output.stride = stride;
  output.type = row.type;
  output.layout = row.layout;
  output.channels = row.channels;
  require_ok(kernels->run(views, output, nullptr), row.name);
  std::vector<std::uint8_t> found(before.size());
  out.read(found.data(), found.size());
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t b = 0; b < stride; ++b) {
      const std::uint8_t wanted = b < expected[i].size() ? expected[i][b] : 0xA5;
      if (found[i * stride + b] != wanted)
        fail(std::string(info.name) + ", " + row.name + ", " + fill.name + ", " +
             std::string(transforms_backend_name(backend)) + ", " +
             std::to_string(first.view.width) + "x" + std::to_string(first.view.height) + " to " +
             std::to_string(plan->crop_size) + ": byte " + std::to_string(b) + " of image " +
             std::to_string(i) + " of " + std::to_string(count) + " is " +
             std::to_string(found[i * stride + b]) + ", expected " + std::to_string(wanted));
    }
}

}  // namespace

int main(int argc, char** argv) {
  need_gpu();
  const int batches = argc > 1 ? std::atoi(argv[1]) : 120;
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::fflush(stdout);
  Bytes random(seed);
  std::size_t turn = 0;
  for (int i = 0; i < batches; ++i)
    for (const auto& info : pixel_formats()) {
      compare(random, info, kLayouts[turn % std::size(kLayouts)],
              kFills[turn / 3 % std::size(kFills)],
              turn % 2 == 0 ? TransformsBackend::kTensor : TransformsBackend::kPil);
      turn +=
          1 + turn % 16 / 15;  // else an even number of formats would always meet the same layout
    }
  std::printf("%d batches of each of %zu formats, all bits equal\n", batches,
              pixel_formats().size());
  return 0;
}
