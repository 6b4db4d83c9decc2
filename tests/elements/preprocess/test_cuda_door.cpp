// The GPU path as it is linked: the kernels with CUDA's runtime, or the stub. Where there is a GPU
// its results are compared with the reference's bits; elsewhere it has to say what is missing.
#include <bit>
#include <cstdio>

#include "elements/preprocess/cuda.hpp"
#include "elements/preprocess/preprocess.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

#ifdef TV_CUDA_KERNELS
#include "elements/preprocess/cuda_device.hpp"
#endif

using namespace tv;
using namespace tv::test;

namespace {

Plan plan_for(TransformsBackend backend, int width, int height) {
  Transforms recipe;
  recipe.resize_size = 64;
  recipe.crop_size = 70;
  return value_of(make_plan(recipe, width, height, backend));
}

#ifdef TV_CUDA_KERNELS

std::vector<float> on_gpu(const CudaPreprocessor& preprocessor, const OwnedFrame& frame) {
  const auto crop = static_cast<std::size_t>(preprocessor.plan().crop_size);
  std::vector<float> out(3 * crop * crop, -12345.0f);
  const std::size_t bytes = out.size() * sizeof(float);
  void *pixels = nullptr, *image = nullptr;
  ck_assert_int_eq(preprocess::device_upload(frame.memory.data(), frame.memory.size(), &pixels), 0);
  ck_assert_int_eq(preprocess::device_upload(out.data(), bytes, &image), 0);
  FrameView view = frame.view;
  for (auto& plane : view.planes)
    if (plane.data != nullptr)
      plane.data = static_cast<std::uint8_t*>(pixels) + (plane.data - frame.memory.data());
  DeviceOutput output;
  output.data = image;
  output.bytes = bytes;
  expect_ok(preprocessor.run({&view, 1}, output, nullptr));
  ck_assert_int_eq(preprocess::device_download(image, bytes, out.data(), nullptr), 0);
  preprocess::device_release(pixels);
  preprocess::device_release(image);
  return out;
}

void expect_reference_bits() {
  Bytes random(31);
  long long compared = 0;
  for (const auto& info : pixel_formats())
    for (const auto backend : {TransformsBackend::kPil, TransformsBackend::kTensor})
      for (const auto& [width, height] : {std::pair{301, 201}, {97, 411}, {64, 64}}) {
        FrameShape shape;
        shape.width = width;
        shape.height = height;
        shape.bottom_up = width == 97;
        const OwnedFrame frame = make_frame(info.format, shape, [&] { return random(); });
        const Plan plan = plan_for(backend, width, height);
        const std::vector<float> found = on_gpu(*value_of(make_cuda_preprocessor(plan)), frame);
        std::vector<float> expected(found.size());
        const auto reference = value_of(make_preprocessor(plan, PreprocessPath::kReference));
        expect_ok(reference->run(frame.view, expected));
        for (std::size_t i = 0; i < found.size(); ++i)
          ck_assert_msg(
              std::bit_cast<std::uint32_t>(found[i]) == std::bit_cast<std::uint32_t>(expected[i]),
              "%s %s %dx%d: value %zu is %.9g, expected %.9g", info.name.data(),
              transforms_backend_name(backend).data(), width, height, i,
              static_cast<double>(found[i]), static_cast<double>(expected[i]));
        compared += static_cast<long long>(found.size());
      }
  std::printf("%lld values of the GPU compared, none differs\n", compared);
}

START_TEST(result_or_reason) {
  const auto made = make_cuda_preprocessor(plan_for(TransformsBackend::kTensor, 80, 60));
  if (made) {
    expect_reference_bits();
    return;
  }
  std::printf("%s\n", made.error().text().c_str());
  ck_assert(made.error().code == Code::kUnavailable);
  expect_contains(made.error().what, "no usable GPU: ");
  ck_assert(!made.error().hint.empty());
}
END_TEST

#else

START_TEST(result_or_reason) {
  const auto made = make_cuda_preprocessor(plan_for(TransformsBackend::kTensor, 80, 60));
  ck_assert(!made && made.error().code == Code::kUnsupported);
  expect_contains(made.error().what, "no CUDA kernels");
  expect_contains(made.error().hint, "-Dcuda=enabled");
}
END_TEST

#endif

}  // namespace

int main() {
  // A CUDA context does not survive a fork.
  setenv("CK_FORK", "no", 1);
  return run_suite("cuda-door", 0, result_or_reason);
}
