// The GPU path on the CPU: the door (cuda.hpp) and the kernels' arithmetic (cuda_tile.hpp), run by
// fake_device.cpp over whole images, against the reference: bit by bit, all formats, all recipes of
// the registry. Prints what was compared.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "elements/preprocess/cuda.hpp"
#include "elements/preprocess/cuda_tile.hpp"
#include "elements/preprocess/half.hpp"
#include "elements/preprocess/preprocess.hpp"
#include "model_registry/registry/registry.hpp"
#include "tests/elements/preprocess/fake_device.hpp"
#include "tests/elements/preprocess/frames.hpp"
#include "tests/suite.hpp"

using namespace tv;
using namespace tv::test;

namespace {

struct Counts {
  long long compared = 0, differing = 0;
};
Counts g_tensor, g_pil;

constexpr std::size_t size_of(DeviceType type) {
  return type == DeviceType::kFloat32 ? 4 : 2;
}

// Memory for a batch with a guard behind each image, and the output that describes it.
struct Batch {
  static constexpr std::uint8_t kGuard = 0xa5;
  static constexpr std::size_t kGuardBytes = 64;

  Batch(const Plan& plan, std::size_t images, DeviceType type, DeviceLayout layout, int channels)
      : crop(static_cast<std::size_t>(plan.crop_size)),
        image_bytes(crop * crop * static_cast<std::size_t>(channels) * size_of(type)),
        stride((image_bytes + kGuardBytes + 15) / 16 * 16),
        memory(images * stride / 16 + 1) {
    std::memset(memory.data(), kGuard, memory.size() * 16);
    out = {memory.data(), (images - 1) * stride + image_bytes, stride, type, layout, channels};
  }

  const std::uint8_t* image(std::size_t index) const {
    return reinterpret_cast<const std::uint8_t*>(memory.data()) + index * stride;
  }
  // The bits of an element, [c, y, x].
  std::uint32_t bits(std::size_t index, std::size_t c, std::size_t pixel) const {
    const auto channels = static_cast<std::size_t>(out.channels);
    const std::size_t at =
        out.layout == DeviceLayout::kPlanar ? c * crop * crop + pixel : pixel * channels + c;
    std::uint32_t wide = 0;
    std::memcpy(&wide, image(index) + at * size_of(out.type), size_of(out.type));
    return wide;
  }
  void expect_guards(std::size_t images) const {
    for (std::size_t i = 0; i < images; ++i)
      for (std::size_t k = 0; k < kGuardBytes && i * stride + image_bytes + k < memory.size() * 16;
           ++k)
        ck_assert_msg(image(i)[image_bytes + k] == kGuard, "wrote behind image %zu", i);
  }

  struct alignas(16) Words {
    std::uint8_t bytes[16];
  };
  std::size_t crop, image_bytes, stride;
  std::vector<Words> memory;
  DeviceOutput out;
};

std::vector<float> reference_of(const Plan& plan, const FrameView& view) {
  const auto preprocessor = value_of(make_preprocessor(plan, PreprocessPath::kReference));
  const auto crop = static_cast<std::size_t>(plan.crop_size);
  std::vector<float> out(3 * crop * crop);
  expect_ok(preprocessor->run(view, out));
  return out;
}

std::uint32_t converted(float value, DeviceType type) {
  return type == DeviceType::kFloat32   ? std::bit_cast<std::uint32_t>(value)
         : type == DeviceType::kFloat16 ? preprocess::float16_bits(value)
                                        : preprocess::bfloat16_bits(value);
}

// Every element of image `index`, and that padded channels are zero bits.
void expect_image(const Plan& plan, const FrameView& view, const std::vector<float>& expected,
                  const Batch& batch, std::size_t index) {
  Counts& counts = plan.backend == TransformsBackend::kPil ? g_pil : g_tensor;
  const std::size_t pixels = batch.crop * batch.crop;
  long long differing = 0;
  std::size_t first = 0;
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t p = 0; p < pixels; ++p)
      if (batch.bits(index, c, p) != converted(expected[c * pixels + p], batch.out.type))
        if (differing++ == 0) first = c * pixels + p;
  for (std::size_t c = 3; c < static_cast<std::size_t>(batch.out.channels); ++c)
    for (std::size_t p = 0; p < pixels; ++p)
      ck_assert_msg(batch.bits(index, c, p) == 0, "channel %zu of pixel %zu is not zero", c, p);
  counts.compared += static_cast<long long>(3 * pixels);
  counts.differing += differing;
  ck_assert_msg(differing == 0,
                "%s %s %dx%d at (%d, %d), resize %d crop %d antialias %d vertical_first %d: %lld "
                "of %zu values differ, the first at x=%zu y=%zu c=%zu",
                pixel_format_info(view.format).name.data(),
                transforms_backend_name(plan.backend).data(), view.width, view.height, view.crop_x,
                view.crop_y, plan.recipe.resize_size, plan.recipe.crop_size, plan.recipe.antialias,
                plan.vertical_first, differing, 3 * pixels, first % batch.crop,
                first / batch.crop % batch.crop, first / pixels);
}

struct Form {
  DeviceType type;
  DeviceLayout layout;
  int channels;
};
constexpr Form kForms[] = {
    {DeviceType::kFloat32, DeviceLayout::kPlanar, 3},
    {DeviceType::kFloat32, DeviceLayout::kChannelsLast, 3},
    {DeviceType::kFloat32, DeviceLayout::kChannelsLast, 4},
    {DeviceType::kFloat32, DeviceLayout::kChannelsLast, 8},
    {DeviceType::kFloat16, DeviceLayout::kPlanar, 3},
    {DeviceType::kFloat16, DeviceLayout::kChannelsLast, 3},
    {DeviceType::kFloat16, DeviceLayout::kChannelsLast, 4},
    {DeviceType::kFloat16, DeviceLayout::kChannelsLast, 8},
    {DeviceType::kBfloat16, DeviceLayout::kPlanar, 3},
    {DeviceType::kBfloat16, DeviceLayout::kChannelsLast, 3},
    {DeviceType::kBfloat16, DeviceLayout::kChannelsLast, 4},
    {DeviceType::kBfloat16, DeviceLayout::kChannelsLast, 8},
};

void compare(const OwnedFrame& frame, const Transforms& recipe, TransformsBackend backend,
             FloatSums sums, const Form& form) {
  const Plan plan = value_of(make_plan(recipe, frame.view.width, frame.view.height, backend, sums));
  const auto preprocessor = value_of(make_cuda_preprocessor(plan));
  Batch batch(plan, 1, form.type, form.layout, form.channels);
  expect_ok(preprocessor->run({&frame.view, 1}, batch.out, nullptr));
  expect_image(plan, frame.view, reference_of(plan, frame.view), batch, 0);
  batch.expect_guards(1);
}

FrameShape shape_of(int width, int height) {
  FrameShape shape;
  shape.width = width;
  shape.height = height;
  return shape;
}

// Each turn runs the threads in the other order: a missing barrier shows as a difference.
struct Turns {
  int turn = 0;
  const Form& next() {
    g_threads_backwards = turn % 2 == 1;
    return kForms[static_cast<std::size_t>(turn++) % std::size(kForms)];
  }
};

START_TEST(every_format) {
  Bytes random(21);
  Turns turns;
  for (const auto& info : pixel_formats())
    for (int i = 0; i < 60; ++i) {
      const OwnedFrame frame = random_frame(info.format, random, 200);
      compare(frame, random_recipe(random),
              i % 3 == 0 ? TransformsBackend::kPil : TransformsBackend::kTensor,
              i % 3 == 1 ? FloatSums::kSeparate : FloatSums::kGrouped, turns.next());
    }
}
END_TEST

// The published recipes as they are, from a size that grows, one that shrinks and one that is tall.
START_TEST(every_recipe) {
  std::vector<Transforms> recipes;
  for (const Weights* weights : all_weights())
    if (std::find(recipes.begin(), recipes.end(), weights->preset) == recipes.end())
      recipes.push_back(weights->preset);
  ck_assert_uint_eq(recipes.size(), 28);
  constexpr int kSizes[][2] = {{203, 151}, {643, 481}, {321, 719}};
  Bytes random(22);
  Turns turns;
  std::size_t format = 0;
  for (const Transforms& recipe : recipes)
    for (const auto backend : {TransformsBackend::kPil, TransformsBackend::kTensor}) {
      const auto& info = pixel_formats()[format % pixel_formats().size()];
      const auto& size = kSizes[format++ % std::size(kSizes)];
      compare(make_frame(info.format, shape_of(size[0], size[1]), [&] { return random(); }), recipe,
              backend, FloatSums::kGrouped, turns.next());
    }
}
END_TEST

// Axes without resampling, Pillow's vertical pass first, single pixels, crops beyond the picture.
START_TEST(special_sizes) {
  Bytes random(23);
  Turns turns;
  constexpr int kSizes[][2] = {{64, 64}, {64, 200}, {200, 64}, {40, 300}, {300, 40}, {41, 301},
                               {1, 90},  {90, 1},   {1, 1},    {2, 2},    {16, 33},  {129, 257}};
  int vertical_first = 0, padded = 0;
  for (const auto format : {PixelFormat::kRgb, PixelFormat::kNv12, PixelFormat::kYuy2})
    for (const auto& size : kSizes)
      for (const int resize : {1, 16, 64, 80})
        for (const auto backend : {TransformsBackend::kPil, TransformsBackend::kTensor}) {
          Transforms recipe;
          recipe.resize_size = resize;
          recipe.crop_size = random.between(1, 100);
          recipe.interpolation =
              random.between(0, 1) ? Interpolation::kBicubic : Interpolation::kBilinear;
          recipe.antialias = random.between(0, 1) == 1;
          const Plan plan = value_of(make_plan(recipe, size[0], size[1], backend));
          vertical_first += plan.vertical_first;
          padded += plan.x0 > 0 || plan.y1 < plan.crop_size;
          compare(make_frame(format, shape_of(size[0], size[1]), [&] { return random(); }), recipe,
                  backend, random.between(0, 1) ? FloatSums::kSeparate : FloatSums::kGrouped,
                  turns.next());
        }
  ck_assert_int_gt(vertical_first, 5);
  ck_assert_int_gt(padded, 20);
}
END_TEST

// Scales at which a tile's source columns do and do not find room in shared memory.
START_TEST(longest_sides) {
  Bytes random(24);
  Turns turns;
  for (const auto format : {PixelFormat::kBgrx, PixelFormat::kI420, PixelFormat::kP010_10le})
    for (const auto& size : {std::array{16384, 5}, std::array{5, 16384}, std::array{1279, 600},
                             std::array{1280, 600}, std::array{1281, 600}})
      for (const auto backend : {TransformsBackend::kPil, TransformsBackend::kTensor}) {
        Transforms recipe;
        recipe.resize_size = 2;
        recipe.crop_size = 40;
        compare(make_frame(format, shape_of(size[0], size[1]), [&] { return random(); }), recipe,
                backend, FloatSums::kGrouped, turns.next());
      }
}
END_TEST

// Samples of nothing but the ends of their range: sums and colours reach beyond 0..255 there.
START_TEST(extreme_values) {
  Bytes random(25);
  Turns turns;
  for (const auto& info : pixel_formats())
    for (const auto backend : {TransformsBackend::kPil, TransformsBackend::kTensor}) {
      Transforms recipe;
      recipe.resize_size = 50;
      recipe.crop_size = 50;
      recipe.interpolation = Interpolation::kBicubic;
      compare(make_frame(info.format, shape_of(71, 37),
                         [&] { return static_cast<std::uint8_t>(random.between(0, 1) * 255); }),
              recipe, backend, FloatSums::kGrouped, turns.next());
    }
}
END_TEST

// More frames than a launch takes, of all formats, each with its own image.
START_TEST(batches) {
  Bytes random(26);
  Transforms recipe;
  recipe.resize_size = 24;
  recipe.crop_size = 20;
  const Plan plan = value_of(make_plan(recipe, 61, 43));
  const auto preprocessor = value_of(make_cuda_preprocessor(plan));
  for (const std::size_t count :
       {std::size_t{1}, std::size_t{32}, std::size_t{33}, std::size_t{70}}) {
    std::vector<OwnedFrame> frames;
    std::vector<FrameView> views;
    for (std::size_t i = 0; i < count; ++i) {
      const auto& info = pixel_formats()[i % pixel_formats().size()];
      frames.push_back(make_frame(info.format, shape_of(61, 43), [&] { return random(); }));
      views.push_back(frames.back().view);
    }
    Batch batch(plan, count, DeviceType::kFloat16, DeviceLayout::kChannelsLast, 4);
    const int before = g_launches;
    expect_ok(preprocessor->run(views, batch.out, nullptr));
    ck_assert_int_eq(g_launches - before, static_cast<int>((count + 31) / 32));
    for (std::size_t i = 0; i < count; ++i)
      expect_image(plan, views[i], reference_of(plan, views[i]), batch, i);
    batch.expect_guards(count);
  }
  const int before = g_launches;
  expect_ok(preprocessor->run({}, {}, nullptr));
  ck_assert_int_eq(g_launches, before);
}
END_TEST

// ---- 16-bit floats ----------------------------------------------------------------------------

// The value of a finite 16-bit float: by its definition, in double.
double value_of_bits(unsigned bits, int fraction_bits) {
  const int exponent_bits = 15 - fraction_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = static_cast<int>(bits >> fraction_bits & ((1u << exponent_bits) - 1));
  const int fraction = static_cast<int>(bits & ((1u << fraction_bits) - 1));
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, 1 - bias - fraction_bits)
                    : std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
  return bits & 0x8000 ? -magnitude : magnitude;
}

// Whether no neighbour is nearer, and of two that are as near the even one was taken.
void expect_nearest(float value, unsigned bits, int fraction_bits) {
  ck_assert_msg((bits & 0x8000) == (std::signbit(value) ? 0x8000u : 0u), "sign of %.9g", value);
  const unsigned magnitude = bits & 0x7fff;
  const unsigned infinity = 0x7fff >> fraction_bits << fraction_bits;
  // Infinity stands where the next finite number would.
  const auto at = [&](unsigned m) { return value_of_bits(m, fraction_bits); };
  const double want = std::fabs(static_cast<double>(value));
  ck_assert_msg(magnitude <= infinity, "%.9g became a NaN", static_cast<double>(value));
  const double distance = std::fabs(at(magnitude) - want);
  for (const int side : {-1, 1}) {
    if ((magnitude == 0 && side < 0) || (magnitude == infinity && side > 0)) continue;
    if (magnitude == infinity && want > at(infinity)) continue;
    const double other = std::fabs(at(magnitude + static_cast<unsigned>(side)) - want);
    ck_assert_msg(distance < other || (distance == other && magnitude % 2 == 0),
                  "%.9g became %04x, not the nearest", static_cast<double>(value), bits);
  }
}

START_TEST(half_precision) {
  std::mt19937 random(27);
  const auto check = [](float value) {
    expect_nearest(value, preprocess::float16_bits(value), 10);
    expect_nearest(value, preprocess::bfloat16_bits(value), 7);
  };
  // Around every 16-bit number and every place half-way between two.
  for (unsigned upper = 0; upper < 0x7f80; ++upper)
    for (const unsigned lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      check(std::bit_cast<float>(upper << 16 | lower));
  for (unsigned bits = 0; bits < 0x7c00; ++bits) {
    const auto exact = static_cast<float>(value_of_bits(bits, 10));
    const auto between =
        static_cast<float>((value_of_bits(bits, 10) + value_of_bits(bits + 1, 10)) / 2);
    ck_assert_uint_eq(preprocess::float16_bits(exact), bits);
    ck_assert_uint_eq(preprocess::float16_bits(-exact), bits | 0x8000);
    for (const float value : {between, std::nextafter(between, 0.0f),
                              std::nextafter(between, std::numeric_limits<float>::max())})
      check(value);
  }
  for (int i = 0; i < 1000000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isfinite(value)) check(value);
  }
  const float infinity = std::numeric_limits<float>::infinity();
  ck_assert_uint_eq(preprocess::float16_bits(infinity), 0x7c00);
  ck_assert_uint_eq(preprocess::float16_bits(-infinity), 0xfc00);
  ck_assert_uint_eq(preprocess::bfloat16_bits(-infinity), 0xff80);
  for (const std::uint32_t nan : {0x7f800001u, 0x7fc00000u, 0xffffffffu}) {
    ck_assert_uint_gt(preprocess::float16_bits(std::bit_cast<float>(nan)) & 0x7fff, 0x7c00);
    ck_assert_uint_gt(preprocess::bfloat16_bits(std::bit_cast<float>(nan)) & 0x7fff, 0x7f80);
  }
}
END_TEST

// ---- what is refused --------------------------------------------------------------------------

struct Setup {
  Setup() {
    Transforms recipe;
    recipe.resize_size = 16;
    recipe.crop_size = 16;
    plan = value_of(make_plan(recipe, 40, 30));
    preprocessor = value_of(make_cuda_preprocessor(plan));
    Bytes random(28);
    frame = make_frame(PixelFormat::kNv12, shape_of(40, 30), [&] { return random(); });
  }
  void expect_refused(const FrameView& view, const DeviceOutput& out, const char* part,
                      Code code = Code::kInvalidArgument) const {
    const int before = g_launches;
    const Status done = preprocessor->run({&view, 1}, out, nullptr);
    ck_assert_msg(!done, "expected \"%s\"", part);
    ck_assert_msg(done.error().code == code, "%s", done.error().text().c_str());
    expect_contains(done.error().what, part);
    ck_assert_int_eq(g_launches, before);
  }
  Plan plan;
  std::unique_ptr<CudaPreprocessor> preprocessor;
  OwnedFrame frame;
};

START_TEST(refused_frames) {
  const Setup setup;
  const Batch batch(setup.plan, 1, DeviceType::kFloat32, DeviceLayout::kPlanar, 3);
  const auto refused = [&](const char* part, const auto& change) {
    FrameView view = setup.frame.view;
    change(view);
    setup.expect_refused(view, batch.out, part);
  };
  refused("41x30", [](FrameView& view) { view.width = view.full_width = 41; });
  refused("plane 1 of the NV12 frame is missing",
          [](FrameView& view) { view.planes[1].data = nullptr; });
  refused("stride of -39", [](FrameView& view) { view.planes[0].stride = -39; });
  refused("does not lie in planes", [](FrameView& view) { view.crop_x = 1; });
  refused("margin", [](FrameView& view) { view.margin.top = 1; });
  refused("pixel format",
          [](FrameView& view) { view.format = static_cast<PixelFormat>(pixel_formats().size()); });

  std::array views{setup.frame.view, setup.frame.view};
  views[1].planes[0].data = nullptr;
  const Batch two(setup.plan, 2, DeviceType::kFloat32, DeviceLayout::kPlanar, 3);
  const Status done = setup.preprocessor->run(views, two.out, nullptr);
  ck_assert(!done);
  expect_contains(done.error().what, "frame 1 of the batch: plane 0");
}
END_TEST

START_TEST(refused_outputs) {
  const Setup setup;
  const Batch planar(setup.plan, 2, DeviceType::kFloat32, DeviceLayout::kPlanar, 3);
  const Batch last(setup.plan, 2, DeviceType::kFloat16, DeviceLayout::kChannelsLast, 8);
  const auto refused = [&](const Batch& batch, const char* part, const auto& change) {
    DeviceOutput out = batch.out;
    change(out);
    setup.expect_refused(setup.frame.view, out, part);
  };
  refused(planar, "no memory", [](DeviceOutput& out) { out.data = nullptr; });
  refused(planar, "4 channels, expected 3", [](DeviceOutput& out) { out.channels = 4; });
  for (const int channels : {-1, 0, 1, 2, 5, 7, 9})
    refused(last, "expected 3, 4 or 8", [&](DeviceOutput& out) { out.channels = channels; });
  refused(planar, "too few", [](DeviceOutput& out) { out.bytes = 3 * 16 * 16 * 4 - 1; });
  refused(planar, "multiple of 4",
          [](DeviceOutput& out) { out.data = static_cast<std::uint8_t*>(out.data) + 2; });
  refused(last, "multiple of 16",
          [](DeviceOutput& out) { out.data = static_cast<std::uint8_t*>(out.data) + 8; });
  refused(planar, "type or layout",
          [](DeviceOutput& out) { out.type = static_cast<DeviceType>(3); });
  refused(planar, "type or layout",
          [](DeviceOutput& out) { out.layout = static_cast<DeviceLayout>(2); });

  const std::array views{setup.frame.view, setup.frame.view};
  const auto refused_pair = [&](const Batch& batch, const char* part, const auto& change) {
    DeviceOutput out = batch.out;
    change(out);
    const Status done = setup.preprocessor->run(views, out, nullptr);
    ck_assert_msg(!done, "expected \"%s\"", part);
    expect_contains(done.error().what, part);
  };
  refused_pair(planar, "apart", [](DeviceOutput& out) { out.stride = 3 * 16 * 16 * 4 - 4; });
  refused_pair(planar, "multiple of 4", [](DeviceOutput& out) { out.stride += 2; });
  refused_pair(last, "multiple of 16", [](DeviceOutput& out) { out.stride += 8; });
  refused_pair(planar, "too few", [](DeviceOutput& out) { --out.bytes; });
  expect_ok(setup.preprocessor->run(views, planar.out, nullptr));
}
END_TEST

START_TEST(device_errors) {
  const int blocks = g_blocks;
  {
    const Setup setup;
    ck_assert_int_eq(g_blocks, blocks + 1);
    const Batch batch(setup.plan, 1, DeviceType::kFloat32, DeviceLayout::kPlanar, 3);
    g_launch_error = 2;
    setup.expect_refused(setup.frame.view, batch.out, "launching", Code::kDevice);
    setup.expect_refused(setup.frame.view, batch.out, "out of memory", Code::kDevice);
    g_launch_error = 0;
    g_device = 1;
    setup.expect_refused(setup.frame.view, batch.out, "GPU 1 is current");
    g_device = 0;

    g_upload_error = 2;
    const auto no_memory = make_cuda_preprocessor(setup.plan);
    g_upload_error = 0;
    ck_assert(!no_memory && no_memory.error().code == Code::kDevice);
    g_current_error = 100;
    const auto no_device = make_cuda_preprocessor(setup.plan);
    g_current_error = 0;
    ck_assert(!no_device && no_device.error().code == Code::kUnavailable);
    expect_contains(no_device.error().what, "no device");
    Plan wrong = setup.plan;
    wrong.horizontal.first.back() += 1;
    const auto contradicting = make_cuda_preprocessor(wrong);
    ck_assert(!contradicting && contradicting.error().code == Code::kInvalidArgument);
  }
  ck_assert_int_eq(g_blocks, blocks);
}
END_TEST

// The comparison itself: one changed pixel is seen, in its place alone.
START_TEST(a_difference_is_seen) {
  Transforms recipe;
  recipe.resize_size = 32;
  recipe.crop_size = 32;
  Bytes random(29);
  OwnedFrame frame = make_frame(PixelFormat::kRgb, shape_of(32, 32), [&] { return random(); });
  const Plan plan = value_of(make_plan(recipe, 32, 32));
  const auto preprocessor = value_of(make_cuda_preprocessor(plan));
  const std::vector<float> before = reference_of(plan, frame.view);
  frame.memory[3 * (32 * 5 + 7) + 1] ^= 1;
  Batch batch(plan, 1, DeviceType::kFloat32, DeviceLayout::kPlanar, 3);
  expect_ok(preprocessor->run({&frame.view, 1}, batch.out, nullptr));
  std::size_t changed = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    if (batch.bits(0, i / 1024, i % 1024) != std::bit_cast<std::uint32_t>(before[i])) {
      ++changed;
      ck_assert_uint_eq(i, 32 * 32 + 32 * 5 + 7);
    }
  ck_assert_uint_eq(changed, 1);
}
END_TEST

}  // namespace

int main() {
  // One process, so that the counts below see all of it.
  setenv("CK_FORK", "no", 1);
  const int status =
      run_suite("cuda-math", 0, every_format, every_recipe, special_sizes, longest_sides,
                extreme_values, batches, half_precision, refused_frames, refused_outputs,
                device_errors, a_difference_is_seen);
  std::printf("tensor: %lld values compared, %lld differ; pil: %lld compared, %lld differ\n",
              g_tensor.compared, g_tensor.differing, g_pil.compared, g_pil.differing);
  return status;
}
